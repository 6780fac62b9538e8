"""The marts as read by one role, and the records of the landing and the tests."""

import concurrent.futures
import contextlib
import dataclasses
import datetime
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catalog import last_landing, quality
from landing.names import raw_schema
from sandbox import postgres

Row = dict[str, Any]
PREFIX = f"{os.environ['DBT_SCHEMA_PREFIX']}_" if os.environ.get("DBT_SCHEMA_PREFIX") else ""
_QUERIES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "queries"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  this is SQL
)
_MOST_MONTHS = 36
"""A page grows with its months and with nothing else, so this limits its size."""


@dataclasses.dataclass
class Records:
    """The landing that the marts are of, and the results of the tests of their build."""

    run_id: str
    landed_at: datetime.datetime | None
    tests: int
    failed: int


@dataclasses.dataclass
class Marts:
    """The rows of each query, and its SQL as it ran. Money is whole cents."""

    role: str
    shows_names: bool
    data_day: datetime.date
    months: list[str]
    rows: dict[str, list[Row]]
    sql: dict[str, str]


def login(role: str) -> tuple[str, str | None, str | None]:
    """The reader's name for the page, and the login: DASHBOARDS_USER, the sandbox's ``role``, or dbt's own."""
    user, password = os.environ.get("DASHBOARDS_USER"), os.environ.get("DASHBOARDS_PASSWORD")
    if not user:
        try:
            user, password = postgres.login(role).values()
        except postgres.AnotherServer:
            user, password = os.environ.get("DBT_USER") or None, os.environ.get("DBT_PASSWORD") or None
    return user or os.environ.get("PGUSER", "the owner"), user, password


def read(role: str, queries: Sequence[str]) -> Marts:
    """Run the queries side by side, all on one snapshot: no page has figures of two builds.

    Raises:
        SandboxError: the sandbox has no such role.
        psycopg2.Error: a mart is not there, or not for this role.
        LookupError: nothing has been sold yet.
    """
    name, user, password = login(role)
    path = f"{PREFIX}marts" if role == "pii_reader" else f"{PREFIX}marts_masked,{PREFIX}marts"

    def connect() -> Any:
        connection = psycopg2.connect("", user=user, password=password, options=f"-c search_path={path}")
        connection.set_session("repeatable read", readonly=True)
        return connection

    def run(query: str, **parameters: Any) -> tuple[list[Row], str]:
        statement = _QUERIES.get_template(f"{query}.sql").render(parameters)
        connection = connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("set transaction snapshot %s", (snapshot,))
                cursor.execute(statement)
                names = [column.name for column in cursor.description or ()]
                rows = [dict(zip(names, map(_plain, names, row), strict=True)) for row in cursor.fetchall()]
                return rows, statement
        finally:
            connection.close()

    with contextlib.closing(connect()) as first, first.cursor() as cursor:
        cursor.execute("select pg_export_snapshot()")
        ((snapshot,),) = cursor.fetchall()
        ((period,), _) = run("period")
        if period["first_month"] is None:
            raise LookupError("the marts hold no sale that was kept: there is nothing to show")
        months = _months(period["first_month"], period["last_month"])[-_MOST_MONTHS:]
        window = {"first_month": months[0], "last_month": months[-1], "pace_month": months[-6:][0]}
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda query: run(query, data_day=period["data_day"], **window), queries)
            results = dict(zip(queries, found, strict=True))
    return Marts(
        role=name,
        shows_names=role == "pii_reader",
        data_day=period["data_day"],
        months=months,
        rows={query: rows for query, (rows, _) in results.items()},
        sql={query: statement for query, (_, statement) in results.items()},
    )


def records() -> Records:
    """The records of the landing and the tests. They are read with dbt's login, because no analyst may read them."""
    published = quality.publication(f"{PREFIX}quality")
    raw = raw_schema(os.environ.get("MYSQL_DATABASE") or "classicmodels")
    last = last_landing.last_landing(raw, published.loaded_at if published else None)
    builds = quality.builds(f"{PREFIX}quality", 1, published.invocation_id if published else "")
    scores = list(builds[0].scores.values()) if builds else []
    return Records(
        run_id=last.run_id if last else "",
        landed_at=last.finished_at if last else None,
        tests=sum(score.passed + score.warned + score.failed for score in scores),
        failed=sum(score.failed for score in scores),
    )


def _plain(name: str, value: Any) -> Any:
    """Cents for money, recognised by the column's name. A number for any other decimal."""
    if value is not None and name.endswith(("_amount", "_price", "_quartile", "credit_limit", "difference")):
        return round(Decimal(str(value)) * 100)
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value


def _months(first: str, last: str) -> list[str]:
    numbers = [int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last)]
    return [f"{number // 12}-{number % 12 + 1:02}" for number in range(numbers[0], numbers[1] + 1)]
