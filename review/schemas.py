"""The review's own schemas, and the landing under both sides."""

import os
from collections.abc import Iterable
from typing import Any

import psycopg2
from psycopg2 import sql

from review import ReviewError

MARK = "Made by make review"


def connect(address: str = "") -> Any:
    """A connection to the warehouse that the environment names, or to the one at ``address``, which it may only read.

    Every statement commits at once; what is only read is of one moment, until a rollback.
    """
    if not os.environ.get("PGHOST"):
        raise ReviewError("PGHOST is not set: run `make review`, or `python -m sandbox exec -- python -m review`.")
    if os.environ.get("DBT_TARGET") == "redshift":
        raise ReviewError("The review builds in Postgres; unset DBT_TARGET.")
    try:
        connection = psycopg2.connect(address)
    except psycopg2.Error:
        remedy = "WAREHOUSE" if address else "PGHOST and its like"
        raise ReviewError(f"The warehouse does not answer, or refuses the login; check {remedy}.") from None
    if address:
        connection.set_session("REPEATABLE READ", readonly=True)
    else:
        connection.autocommit = True
    return connection


def rows(connection: Any, statement: Any, values: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []


def raw_schema() -> str:
    return os.environ.get("DBT_RAW_SCHEMA") or "raw_" + os.environ.get("MYSQL_DATABASE", "classicmodels")


def last_landing(connection: Any) -> tuple[str, str] | None:
    """Run id and time of the last landing; None if nothing has landed."""
    raw = raw_schema()
    if rows(connection, "select to_regclass(%s)", (f'"{raw}"._landing_runs',)) == [(None,)]:
        return None
    statement = sql.SQL(
        "select run_id, to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI UTC') from {}._landing_runs"
        " order by finished_at desc, run_id limit 1"
    )
    found = rows(connection, statement.format(sql.Identifier(raw)))
    return (str(found[0][0]), str(found[0][1])) if found else None


def is_prepared(connection: Any, schemas: Iterable[str], what: str) -> bool:
    """Whether all of these schemas were made for exactly this."""
    marks = _marks(connection)
    return all(marks.get(schema) == f"{MARK}: {what}" for schema in schemas)


def prepare(connection: Any, prefix: str, schemas: Iterable[str], what: str) -> None:
    """Make the schemas anew, empty; those of the run before go, even if this one has no use for them.

    Raises:
        ReviewError: a schema of such a name is not the review's. It is untouched.
    """
    marks = _marks(connection)
    old = {schema for schema, mark in marks.items() if mark.startswith(MARK) and schema.startswith(f"{prefix}_")}
    foreign = marks.keys() & set(schemas) - old
    if foreign:
        raise ReviewError(
            f"The schema {sorted(foreign)[0]} exists and was not made by a review. It is left as it is: rename it, or"
            " set DBT_SCHEMA_PREFIX to review under another name."
        )
    for schema in old:
        rows(connection, sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
    for schema in sorted(set(schemas)):
        rows(connection, sql.SQL("create schema {}").format(sql.Identifier(schema)))
        comment = sql.SQL("comment on schema {} is {}")
        rows(connection, comment.format(sql.Identifier(schema), sql.Literal(f"{MARK}: {what}")))


def _marks(connection: Any) -> dict[str, str]:
    return dict(
        rows(connection, "select nspname, coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace")
    )
