"""The real sample data, landed and built once for all tests of the star schema."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.landing import land
from ingestion.settings import from_environment
from sandbox import home, postgres, source
from tests.conftest import PROJECT, Servers


@dataclasses.dataclass
class Star:
    """A warehouse with the star schema, and dbt to build it again."""

    servers: Servers
    target: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.servers.environment | {"DBT_PROFILES_DIR": str(PROJECT / "profiles")}

    def land(self, **options: Any) -> None:
        report = land(from_environment(self.servers.environment, **options))
        assert report.status == "ok", report

    def dbt(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
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

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.servers.postgres()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        connection.close()
        return rows


@pytest.fixture(scope="session")
def star(servers: Servers, dump: Path) -> Iterator[Star]:
    """The star schema of the real data, built by ``dbt build`` with all its tests."""
    home.update_state(source=None)  # trading days of an earlier run must not show
    with home.locked():
        source.ensure(dump, scale=1, seed=1, when_replaced=postgres.reset)
    star = Star(servers, home.SANDBOX / "target")
    shutil.rmtree(star.target, ignore_errors=True)
    star.land()
    result = star.dbt("build")
    assert result.returncode == 0, result.stdout[-3000:]
    yield star
