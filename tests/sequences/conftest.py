"""The star schema of the real data, for what lands behind its back."""

from pathlib import Path

import pytest

from tests.conftest import Servers
from tests.project.conftest import Star, the_star


@pytest.fixture(scope="session")
def star(servers: Servers, dump: Path) -> Star:
    return the_star(servers, dump)
