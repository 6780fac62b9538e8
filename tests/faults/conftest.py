"""Accounts with a canary password, the shop, and the table of results in ``reports/faults.md``."""

import contextlib
import dataclasses
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import __main__ as sandbox
from sandbox import home, mysql, postgres
from tests.conftest import PROJECT, Lane, Servers, make_user
from tests.faults.shop import PASSWORD, Shop

_HEADER = """\
# Faults

Every scenario: land, change rows in every table, break the next landing as described, look at the raw tables, run
`python -m ingestion` once more, compare both sides value by value.

| scenario | seen during and after the fault | after one plain rerun |
| --- | --- | --- |
"""
_results: list[Any] = []


@dataclasses.dataclass
class Result:
    """What the table says of one scenario; a scenario that ends early keeps ``FAILED``."""

    scenario: str
    seen: str = "the last good rows, whole"
    healed: str = "FAILED"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        _results.extend(row for name, row in report.user_properties if name == "scenario")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):  # pytest-xdist: whoever started the workers hears of all results
        return
    report = PROJECT / "reports" / ("faults_mysql.md" if "TEST_MYSQL_HOST" in os.environ else "faults.md")
    report.parent.mkdir(exist_ok=True)
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in sorted(_results)]
    good = sum(healed != "FAILED" for _, _, healed in _results)
    report.write_text(_HEADER + "".join(lines) + f"\n{good} of {len(_results)} scenarios.\n", encoding="utf-8")


@pytest.fixture
def result(request: pytest.FixtureRequest) -> Iterator[Result]:
    name = request.node.name.removeprefix("test_").replace("_", " ")
    result = Result(name)
    yield result
    request.node.user_properties.append(("scenario", (result.scenario, result.seen, result.healed)))


@pytest.fixture(scope="session")
def accounts(servers: Servers) -> Servers:
    """A read-only account in MySQL and an owner in the warehouse, whose rights the tests' own account shares."""
    connection = servers.mysql()
    with connection.cursor() as cursor:
        make_user(cursor, "fault", "127.0.0.1", PASSWORD)
    connection.close()
    administrator = postgres.connect(home.read_state()[postgres.NAME])
    administrator.autocommit = True
    with administrator.cursor() as cursor:
        cursor.execute("select from pg_roles where rolname = 'fault'")
        if not cursor.rowcount:
            cursor.execute("create role fault login")
        cursor.execute("alter role fault password %s", (PASSWORD,))
        cursor.execute("grant create, temporary on database warehouse to fault")
        cursor.execute("grant fault to elt with inherit true, set true")
        cursor.execute("grant pg_signal_backend to elt")
    administrator.close()
    return servers


@pytest.fixture
def shop(accounts: Servers, lane: Lane, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(lane, tmp_path)
    yield shop
    for landing in shop.landings:  # a scenario that failed may have left one standing, or a server down
        landing.discard()
    sandbox.up()


@pytest.fixture
def kill_server() -> Callable[[str], None]:
    return _kill_server


def _kill_server(name: str) -> None:
    """``kill -9`` of a whole server, all its processes at once."""
    if name == postgres.NAME:
        pid_file = home.servers_home() / name / "data" / "postmaster.pid"
        first = int(pid_file.read_text().splitlines()[0])
        children = subprocess.run(["pgrep", "-P", str(first)], capture_output=True, text=True, check=False)
        pids = [first, *map(int, children.stdout.split())]
    else:
        assert name == mysql.NAME
        pids = [int((home.servers_home() / name / "data" / "server.pid").read_text())]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
