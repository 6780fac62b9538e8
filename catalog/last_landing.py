"""The record of the last landing: counts and checksums per table, and values that no type could hold."""

import dataclasses
import datetime
from typing import Any

from catalog.connection import connect


@dataclasses.dataclass
class LastLanding:
    run_id: str
    source_database: str
    started_at: datetime.datetime
    finished_at: datetime.datetime
    loaded_at: datetime.datetime
    tables: list[dict[str, Any]]
    """One per table of the run: its name, row count, checksum, and the landing's changes."""
    exceptions: list[tuple[str, str, str, int]]
    """Table, column, reason and number of values kept beside the raw table."""


def last_landing(schema: str, until: datetime.datetime | None = None) -> LastLanding | None:
    """The last landing that was published into ``schema``, up to ``until``; None when there is none."""
    records = '"' + schema.replace('"', '""') + '"._landing'
    connection = connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("set time zone 'UTC'")
            cursor.execute("select to_regclass(%s)", (f"{records}_runs",))
            if cursor.fetchone() == (None,):
                return None
            cursor.execute(
                f"select run_id, source_database, started_at, finished_at, loaded_at from {records}_runs"
                " where loaded_at <= coalesce(cast(%s as timestamp with time zone), 'infinity')"
                " order by loaded_at desc limit 1",
                (until,),
            )
            run = cursor.fetchone()
            if run is None:
                return None
            cursor.execute(
                "select table_name, source_table, row_count, checksum, inserted, updated, deleted, cast_exceptions"
                f" from {records}_tables where run_id = %s order by table_name",
                run[:1],
            )
            names = [column.name for column in cursor.description or ()]
            tables = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            cursor.execute(
                f"select table_name, column_name, reason, count(*) from {records}_exceptions"
                " group by table_name, column_name, reason order by table_name, column_name, reason"
            )
            run_id, database, started_at, finished_at, loaded_at = run
            return LastLanding(run_id, database, started_at, finished_at, loaded_at, tables, cursor.fetchall())
    finally:
        connection.close()
