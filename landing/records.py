"""Records in the raw schema, for the next landing and for people: ``_landing_*``."""

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg2.extras import execute_values

from landing.columns import TablePlan
from landing.drift import KnownColumn
from landing.erased import ErasureRule, Suppressions
from landing.steps import reached
from landing.warehouse.session import Session

_SQL = Path(__file__).with_suffix(".sql")
_IDS = "select c.relname, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = %s"
"""Names and ids of the tables of a schema. An id tells a table from another one under its name."""


@dataclasses.dataclass(frozen=True)
class LandingRun:
    """One landing, as named in its records."""

    id: str
    started_at: datetime.datetime
    loaded_at: datetime.datetime
    """Its clock: the ``_loaded_at`` of the rows it changes."""


@dataclasses.dataclass(frozen=True)
class ChangeCounts:
    """Numbers of rows changed in one raw table by its publication."""

    inserted: int
    updated: int
    deleted: int
    note: str = ""


@dataclasses.dataclass(frozen=True)
class TableState:
    """A raw table at its last comparison with the whole source table."""

    row_count: int
    digests: list[str]
    compared_at: datetime.datetime
    select_hash: str | None = None
    """Of the SELECT that read it. Another one would read other values."""
    log_position: str | None = None
    """``Changes.position`` of the landing that brought it up to date."""


@dataclasses.dataclass(frozen=True)
class RecordTypes:
    """Types of the records' columns."""

    text: str = "text"
    text_list: str = "text[]"
    """The type for digests: a list, or one text with commas."""
    numeric: str = "numeric"
    most_digests: int | None = None
    """The most digests of a ``text_list``. A table with more is compared row by row each time."""
    keeps_suppressions: bool = True
    """Whether people can be erased there. If not, the settings refuse a key."""


class Records:
    """Reads and writes the records. A new record becomes visible together with its rows."""

    def __init__(self, session: Session, types: RecordTypes):
        self._session, self._types = session, types
        self._raw, self._settings = session.raw, session.settings

    def create(self) -> None:
        names = {"raw": self._raw} | dataclasses.asdict(self._types)
        for statement in _SQL.read_text(encoding="utf-8").format(**names).split(";\n"):
            if statement.strip():
                self._session.execute(statement)
        columns = "select table_name, column_name from information_schema.columns where table_schema = %s"
        present = set(self._session.rows(columns, (self._settings.raw_schema,)))
        for table, column, kind in (  # of records made before these columns
            ("_landing_state", "raw_id", "bigint"),
            ("_landing_state", "select_hash", self._types.text),
            ("_landing_state", "log_position", self._types.text),
            ("_landing_runs", "log_position", self._types.text),
            ("_landing_runs", "changed_at", "timestamptz"),
        ):
            if (table, column) not in present:
                self._session.execute(f"alter table {self._raw}.{table} add column {column} {kind}")

    # records of earlier landings

    def known_columns(self, present: Mapping[tuple[str, str], str]) -> dict[str, list[KnownColumn]]:
        """The columns of each warehouse table at its last publication, if they are still there.

        ``present`` are the types of the raw schema's columns, by table and name. A type is empty if it is unknown.
        """
        known: dict[str, list[KnownColumn]] = {}
        for table, *column in self._session.rows(
            "select table_name, source_table, source_column, source_type, column_name, raw_type, key_position"
            f" from {self._raw}._landing_columns order by 1"
        ):
            found = KnownColumn(*column)
            if (table, found.name) in present:
                raw_type = present[table, found.name] or found.raw_type
                known.setdefault(table, []).append(dataclasses.replace(found, raw_type=raw_type))
        return known

    def states(self) -> dict[str, TableState]:
        """The states of raw tables. A table that took the name of another one by hand has none."""
        ids = dict(self._session.rows(_IDS, (self._settings.raw_schema,)))
        return {
            table: TableState(rows, digests.split(",") if isinstance(digests, str) else digests, *rest)
            for table, raw_id, rows, digests, *rest in self._session.rows(
                "select table_name, raw_id, row_count, digests, compared_at, select_hash,"
                f" case when raw_id is not null then log_position end from {self._raw}._landing_state"
            )
            if raw_id is None or raw_id == ids.get(table)
        }

    def suppressions(self) -> Suppressions:
        """The list of erased people.

        Raises:
            SettingsError: somebody was erased, and ``ERASURE_KEY`` is missing or another.
        """
        erasure = self._session.erasure
        if not self._types.keeps_suppressions or self._session.value(
            "select to_regclass(%s) is null", (f"{erasure}.suppressions",)
        ):
            return Suppressions()
        people = self._session.rows(f"select subject_hash, key_check from {erasure}.suppressions")
        Suppressions.check(self._settings.erasure_key, {check for _, check in people})
        rules = self._session.rows(
            f"select table_name, subject, subject_column, array_agg(column_name) from {erasure}.erased_columns"
            " group by table_name, subject, subject_column"
        )
        return Suppressions(
            (hashed for hashed, _ in people),
            {table: ErasureRule(subject, column, frozenset(columns)) for table, subject, column, columns in rules},
            self._settings.erasure_key,
        )

    def other_source(self, capitals_count: bool) -> str | None:
        """Another MySQL database of nearly the same name, if its tables are in the raw schema."""
        databases = self._session.rows(f"select distinct source_database from {self._raw}._landing_runs")
        same = self._settings.database
        return next(
            (name for (name,) in databases if name != same and (capitals_count or name.lower() != same.lower())), None
        )

    def log_position(self) -> str:
        """``Changes.position`` of the last landing, or nothing."""
        last = f"select log_position from {self._raw}._landing_runs order by loaded_at desc limit 1"
        return next((position or "" for (position,) in self._session.rows(last)), "")

    def last_loaded_at(self) -> datetime.datetime | None:
        moment: datetime.datetime | None = self._session.value(f"select max(loaded_at) from {self._raw}._landing_runs")
        return moment

    def exceptions(self, table: TablePlan) -> int:
        """How many values of the raw table are NULL because their type cannot hold them."""
        count = f"select count(*) from {self._raw}._landing_exceptions where table_name = %s"
        return int(self._session.value(count, (table.name,)))

    # records of this landing

    def record_table(
        self,
        run: LandingRun,
        table: TablePlan,
        change: ChangeCounts,
        rows: int,
        checksum: int | None,
        exceptions: int,
        load_id: str,
    ) -> None:
        """``rows`` and ``checksum`` are those of the whole table. The checksum is None if only a part was read."""
        self._session.execute(
            f"insert into {self._raw}._landing_tables values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (run.id, table.name, table.source.name, rows, checksum, change.inserted, change.updated)
            + (change.deleted, exceptions, load_id or None, run.loaded_at),
        )

    def record_columns(self, table: TablePlan) -> None:
        self._session.execute(f"delete from {self._raw}._landing_columns where table_name = %s", (table.name,))
        key = {column.name: number for number, column in enumerate(table.key, 1)}
        execute_values(
            self._session.cursor,
            f"insert into {self._raw}._landing_columns values %s",
            [
                (table.name, table.source.name, column.name, column.source.name, column.source_type)
                + (column.type.raw_type, key.get(column.name, 0))
                for column in table.columns
            ],
        )

    def record_state(self, table: TablePlan, state: TableState) -> None:
        most, digests = self._types.most_digests, state.digests
        kept: Any = digests if most is None else ",".join(digests if len(digests) <= most else [])
        self._session.execute(f"delete from {self._raw}._landing_state where table_name = %s", (table.name,))
        ids = self._session.rows(f"{_IDS} and c.relname = %s", (self._settings.raw_schema, table.name))
        self._session.execute(
            f"insert into {self._raw}._landing_state (table_name, row_count, digests, compared_at, raw_id, select_hash,"
            " log_position) values (%s, %s, %s, %s, %s, %s, %s)",
            (table.name, state.row_count, kept, state.compared_at, ids[0][1], state.select_hash, state.log_position),
        )

    def record_position(self, tables: list[str], position: str) -> None:
        """Say that these raw tables are up to date, and otherwise as they were."""
        where = f"table_name in ({', '.join(['%s'] * len(tables))})"
        if tables:
            self._session.execute(
                f"update {self._raw}._landing_state set log_position = %s where {where}", (position, *tables)
            )

    def record_run(self, run: LandingRun, position: str) -> None:
        self._session.execute(
            f"insert into {self._raw}._landing_runs (run_id, started_at, finished_at, loaded_at, source_database,"
            " log_position, changed_at) values (%s, %s, %s, %s, %s, %s, %s)",
            (run.id, run.started_at, datetime.datetime.now(datetime.timezone.utc), run.loaded_at)
            + (self._settings.database, position, self._settings.changed_at),
        )
        reached("run recorded")

    def forget(self, table_name: str) -> None:
        """Stop following a raw table. Its rows stay."""
        for record in ("_landing_columns", "_landing_state"):
            self._session.execute(f"delete from {self._raw}.{record} where table_name = %s", (table_name,))
