"""Servers for the tests: a sandbox of their own in ``.sandbox/test``, so no test meets the data of a demo."""

import dataclasses
import functools
import itertools
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
DUMP = PROJECT.parent / "shared" / "classicmodels" / "mysqlsampledatabase.sql"

sys.path.insert(0, str(PROJECT))

# Imported once for all tests: a landing imports dlt late, which takes half a second.
import dlt  # noqa: E402
import dlt.destinations.impl.postgres.postgres  # noqa: E402, F401
import psycopg2  # noqa: E402
import pymysql  # noqa: E402
import pytest  # noqa: E402

from ingestion.mysql import land  # noqa: E402
from landing.report import LandingReport, TableReport  # noqa: E402
from landing.settings import from_environment  # noqa: E402
from sandbox import __main__ as sandbox  # noqa: E402
from sandbox import home, mysql  # noqa: E402
from sandbox.generate import TABLES  # noqa: E402
from tests import SEED  # noqa: E402

_numbers = itertools.count()


def numbers(most: int, name: str = "numbers") -> str:
    """A table of the numbers 1 to ``most`` in a column ``seq``, for the FROM of any MySQL."""
    digits = "select 0 d" + "".join(f" union all select {digit}" for digit in range(1, 10))
    places = range(len(str(most - 1)))
    seq = "1" + "".join(f" + {10**place} * d{place}.d" for place in places)
    tables = " join ".join(f"({digits}) d{place}" for place in places)
    return f"(select {seq} seq from {tables} where {seq} <= {most}) {name}"


def make_user(cursor: Any, name: str, host: str, password: str) -> None:
    """Make a user anew, on any MySQL: 5.6 knows no IF EXISTS."""
    if cursor.execute("select 1 from mysql.user where user = %s and host = %s", (name, host)):
        cursor.execute("drop user %s@%s", (name, host))
    cursor.execute("create user %s@%s identified by %s", (name, host, password))


@dataclasses.dataclass
class Servers:
    """The running test servers."""

    environment: dict[str, str] = dataclasses.field(repr=False)
    """``MYSQL_*`` of the read-only ingestion user and ``PG*`` of the warehouse's owner."""
    logins: dict[str, str] = dataclasses.field(repr=False, default_factory=dict)
    """``INGEST_*`` and ``DBT_*``: the roles under which the landing and dbt log in to the sandbox's own warehouse."""

    def mysql(self, database: str | None = None, **options: Any) -> "pymysql.Connection[Any]":
        """A connection with all rights, in UTC, that commits at once unless told otherwise."""
        connection = mysql.connect(home.read_state()[mysql.NAME], database)
        connection.autocommit(options.get("autocommit", True))
        with connection.cursor() as cursor:
            cursor.execute("set time_zone = '+00:00'")
        return connection

    @functools.cached_property
    def mysql_version(self) -> str:
        with self.mysql() as connection, connection.cursor() as cursor:
            cursor.execute("select version()")
            return str(cursor.fetchall()[0][0])

    @property
    def is_mariadb(self) -> bool:
        return "mariadb" in self.mysql_version.lower()

    @property
    def account(self) -> str:
        """Of the landing, in MySQL."""
        return "'ingest_test'@'%'" if os.environ.get("TEST_MYSQL_HOST") else "'ingest'@'127.0.0.1'"

    def postgres(self) -> Any:
        """A connection of the warehouse's owner that commits at once."""
        connection = psycopg2.connect(
            host=self.environment["PGHOST"],
            port=self.environment["PGPORT"],
            user=self.environment["PGUSER"],
            password=self.environment["PGPASSWORD"],
            dbname=self.environment["PGDATABASE"],
            options="-c timezone=UTC",
        )
        connection.autocommit = True
        return connection

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements on the warehouse, as its owner; the rows of the last one, if it has any."""
        connection = self.postgres()
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows = list(cursor.fetchall()) if cursor.description else []
        connection.close()
        return rows


@dataclasses.dataclass
class Lane:
    """One source database and the schemas it lands in, for one test."""

    servers: Servers
    database: str

    @property
    def raw(self) -> str:
        return f"raw_{self.database}"

    @property
    def environment(self) -> dict[str, str]:
        return self.servers.environment | {"MYSQL_DATABASE": self.database}

    def execute(self, *statements: str) -> None:
        """Run statements on the source, with all rights."""
        connection = self.servers.mysql(self.database)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def source(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.servers.mysql(self.database)
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
        connection.close()
        return rows

    def warehouse(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the warehouse; ``{raw}`` stands for the raw schema."""
        return self.servers.query(sql.replace("{raw}", self.raw))

    def land(self, environment: dict[str, str] | None = None, **options: Any) -> LandingReport:
        """Land in this process; ``options`` are fields of ``Settings``."""
        return land(from_environment(self.environment | (environment or {}), **options))

    def land_one(self, environment: dict[str, str] | None = None, **options: Any) -> TableReport:
        """Land the only table there is; it must land."""
        report = self.land(environment, **options)
        assert report.status == "ok", report
        (table,) = report.tables
        return table

    def cli(self, *arguments: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Land as ``python -m ingestion`` would."""
        return subprocess.run(
            [sys.executable, "-m", "ingestion", *arguments],
            cwd=PROJECT,
            env=os.environ | self.environment | (environment or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


SHARED = {"star": "the star", "roles": "the star", "documented": "the docs", "days": "the days"}
"""What is built once for many tests, by fixture: all of them are run by one worker of pytest-xdist."""
LONGEST = (
    "the star",
    "the docs",
    "the days",
    "tests/security/test_leaks.py",
    "tests/hazards",
    "tests/project/test_sandbox.py",
)
"""These begin, so that no worker has a long one left when the others have ended."""
ONE_BY_ONE = ("tests/review", "tests/faults")
"""Here each test may be run by another worker; they come last and fill what time is left."""


def _group(item: pytest.Item) -> str:
    """What must stay on one worker: tests of what is shared, else those of a file."""
    file = item.path.relative_to(PROJECT).as_posix()
    shared = next((SHARED[name] for name in SHARED if name in getattr(item, "fixturenames", ())), "")
    return shared or ("" if file.startswith(ONE_BY_ONE) else file)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        group = _group(item)
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    order = (*LONGEST, "", *ONE_BY_ONE)

    def place(item: pytest.Item) -> int:
        name = _group(item) or item.path.relative_to(PROJECT).as_posix()
        return next((n for n, start in enumerate(order) if start and name.startswith(start)), len(LONGEST))

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if any(name in argument for name in ("sequences", "mutations") for argument in config.args):
        terminalreporter.write_line(f"Drawn with TEST_SEED={SEED}, which draws the same again.")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The sandbox's servers; ``TEST_MYSQL_HOST``, ``_PORT``, ``_USER``, ``_PASSWORD`` name another MySQL to test on.

    That one is written to: its user has all rights, and its database ``classicmodels`` is replaced.
    """
    home.SANDBOX.mkdir(parents=True, exist_ok=True)
    if os.environ.get("TEST_MYSQL_HOST"):
        _use_other_mysql()
    settings = sandbox.up()
    wanted = ("MYSQL_", "PG")
    # most tests are about reading all rows; those about the binary log turn it on
    binlog = {"INGEST_BINLOG": os.environ.get("TEST_BINLOG", "false")}
    yield Servers(
        {key: value for key, value in settings.items() if key.startswith(wanted)} | binlog,
        {
            key: settings[key]
            for key in ("INGEST_USER", "INGEST_PASSWORD", "DBT_USER", "DBT_PASSWORD", "DBT_ROLES")
            if key in settings
        },
    )
    sandbox.down()


def _use_other_mysql() -> None:
    given = {key.removeprefix("TEST_"): value for key, value in os.environ.items() if key.startswith("TEST_MYSQL_")}
    state = {
        "host": given["MYSQL_HOST"],
        "port": int(given.get("MYSQL_PORT", "3306")),
        "admin": given["MYSQL_USER"],
        "admin_password": given["MYSQL_PASSWORD"],
    }
    password = secrets.token_hex(16)
    with mysql.connect(state) as connection, connection.cursor() as cursor:
        make_user(cursor, "ingest_test", "%", password)
        cursor.execute(f"create database if not exists {mysql.DATABASE}")
        cursor.execute(f"grant select on {mysql.DATABASE}.* to 'ingest_test'@'%'")
        cursor.execute("grant replication slave, replication client on *.* to 'ingest_test'@'%'")
        cursor.execute("set global local_infile = 1")
    home.update_state(mysql=state)
    os.environ |= {"MYSQL_HOST": given["MYSQL_HOST"], "MYSQL_PORT": str(state["port"]), "MYSQL_USER": "ingest_test"}
    os.environ |= {"MYSQL_PASSWORD": password, "MYSQL_DATABASE": mysql.DATABASE}


@pytest.fixture
def lane(servers: Servers) -> Iterator[Lane]:
    """An empty source database that the ingestion user may read."""
    lane = Lane(servers, f"lane_{os.getpid()}_{next(_numbers)}")
    connection = servers.mysql()
    with connection.cursor() as cursor:
        cursor.execute(f"create database {lane.database} character set utf8mb4")
        cursor.execute(f"grant select on {lane.database}.* to {servers.account}")
    connection.close()  # the server may be another by the end of the test
    yield lane
    connection = servers.mysql()
    with connection.cursor() as cursor:
        cursor.execute(f"drop database {lane.database}")
    connection.close()
    lane.warehouse("drop schema if exists {raw} cascade")


@pytest.fixture
def source_connection(lane: Lane) -> Iterator["pymysql.Connection[Any]"]:
    """A connection with all rights on an empty database; nothing is committed by itself."""
    connection = lane.servers.mysql(lane.database, autocommit=False)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real sample database; it is not part of the project."""
    if not DUMP.exists():
        pytest.skip(f"the sample database is not at {DUMP}")
    return complete_dump(tmp_path_factory.mktemp("dump"))


def complete_dump(folder: Path) -> Path:
    """The sample dump. If it lacks tables of ``TABLES``, a copy in ``folder`` that makes them, too, without rows."""
    content = DUMP.read_bytes()
    lacking = [name for name in TABLES if f"create table `{name}`".encode() not in content.lower()]
    if not lacking:
        return DUMP
    made = "".join(f"\nCREATE TABLE `{name}` ({TABLES[name]}) DEFAULT CHARSET=latin1;\n" for name in lacking)
    (folder / DUMP.name).write_bytes(content + made.encode())
    return folder / DUMP.name


def report_of(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report
