"""The real data, landed, for what lands behind the facts' back; what is built of them, its tests build by themselves."""

from pathlib import Path

import pytest

from sandbox import home, postgres, source
from tests.conftest import Servers
from tests.project.conftest import Star


@pytest.fixture(scope="session")
def star(servers: Servers, dump: Path) -> Star:
    home.update_state(source=None)
    with home.locked():
        source.ensure(dump, scale=1, seed=1, when_replaced=postgres.reset)
    star = Star(servers, home.SANDBOX / "target-late")
    star.land()
    return star
