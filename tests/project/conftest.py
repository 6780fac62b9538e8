"""The real sample data, landed and built once for all tests of the star schema."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingestion.mysql import land
from landing.settings import from_environment
from sandbox import home, postgres, source
from tests.conftest import PROJECT, Servers
from tests.kept_dbt import KeptDbt


@dataclasses.dataclass
class Star:
    """A warehouse with the star schema, and dbt to build it again."""

    servers: Servers
    target: Path
    kept: dict[tuple[tuple[str, str], ...], KeptDbt] = dataclasses.field(default_factory=dict, kw_only=True)
    """One process for each environment that dbt was run under."""

    @property
    def environment(self) -> dict[str, str]:
        """The landing's and dbt's roles are in it."""
        own = self.servers.environment | self.servers.logins
        return os.environ | own | {"DBT_PROFILES_DIR": str(PROJECT / "profiles")}

    def land(self, **options: Any) -> None:
        report = land(from_environment(self.environment, **options))
        assert report.status == "ok", report

    def dbt(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run dbt in a kept process; under a DBT_SCHEMA_PREFIX, with a target folder of its own."""
        key = tuple(sorted(environment.items()))
        if key not in self.kept:
            prefix = environment.get("DBT_SCHEMA_PREFIX")
            self.kept[key] = KeptDbt(self.environment | environment, self.target / prefix if prefix else self.target)
        return self.kept[key](*words)

    def by_hand(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run dbt as a person or a scheduler does."""
        command = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *words, "--target-path", str(self.target)]
        return subprocess.run(
            command,
            cwd=PROJECT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    @property
    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.target / "manifest.json").read_text(encoding="utf-8"))
        return content

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.servers.query(*statements)


_built: list[Star] = []


@pytest.fixture(scope="session")
def star(servers: Servers, dump: Path) -> Star:
    return the_star(servers, dump)


def the_star(servers: Servers, dump: Path) -> Star:
    """The star schema of the real data, built by ``dbt build`` with all its tests; once per session."""
    if _built:
        return _built[0]
    home.update_state(source=None)  # trading days of an earlier run must not show
    with home.locked():
        source.ensure(dump, scale=1, seed=1, when_replaced=postgres.reset)
    star = Star(servers, home.SANDBOX / "target")
    shutil.rmtree(star.target, ignore_errors=True)
    star.land()
    result = star.by_hand("build")
    assert result.returncode == 0, result.stdout[-3000:]
    _built.append(star)
    return star
