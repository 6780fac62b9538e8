"""The star schema of generated data, built and documented once; its docs site, and a browser to look at it."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog import project
from sandbox import home, postgres, source
from tests.catalog.browser import Browser, executable
from tests.conftest import PROJECT, Servers
from tests.project.conftest import Star


@dataclasses.dataclass
class Documented(Star):
    """A star schema after ``dbt docs generate``."""


@pytest.fixture(scope="session")
def documented(servers: Servers) -> Documented:
    home.update_state(source=None)
    with home.locked():
        source.ensure(None, scale=1, seed=1, when_replaced=postgres.reset)
    star = Documented(servers, home.SANDBOX / "target-catalog")
    shutil.rmtree(star.target, ignore_errors=True)
    star.land()
    for words in (["build", "--exclude", "test_type:unit"], ["source", "freshness"], ["docs", "generate", "--static"]):
        result = star.dbt(*words)
        assert result.returncode == 0, result.stdout[-3000:]
        project.keep_build_results(star.target)
    return star


@pytest.fixture(scope="session")
def site(documented: Documented, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the docs site."""
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "catalog", str(folder)],
        cwd=PROJECT,
        env=documented.environment | {"DBT_TARGET_PATH": str(documented.target)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert str(folder / "index.html") in result.stdout
    return folder


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("there is no Chromium on the PATH (on Debian: apt-get install chromium)")
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser
