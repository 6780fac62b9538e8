"""What landings leave in the raw schema for the next one, and for people: ``_landing_*``."""

import dataclasses
import datetime

from psycopg2.extras import execute_values

from ingestion.connection import Session
from ingestion.drift import KnownColumn
from ingestion.plan import Table
from ingestion.source import Totals
from ingestion.suppression import Rule, Suppressions

RECORDS = """
create table if not exists {raw}._landing_runs (
    run_id text not null primary key,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    loaded_at timestamptz not null,
    source_database text not null
);
create table if not exists {raw}._landing_tables (
    run_id text not null,
    table_name text not null,
    source_table text not null,
    row_count bigint not null,
    checksum numeric,
    inserted bigint not null,
    updated bigint not null,
    deleted bigint not null,
    cast_exceptions bigint not null,
    dlt_load_id text,
    loaded_at timestamptz not null
);
create table if not exists {raw}._landing_deletions (
    table_name text not null,
    row_key text not null,
    deleted_at timestamptz not null,
    run_id text not null
);
create table if not exists {raw}._landing_exceptions (
    table_name text not null,
    column_name text not null,
    row_key text not null,
    original_text text not null,
    encoding text not null,
    reason text not null,
    loaded_at timestamptz not null
);
create table if not exists {raw}._landing_columns (
    table_name text not null,
    source_table text not null,
    column_name text not null,
    source_column text not null,
    source_type text not null,
    raw_type text not null,
    key_position integer not null
);
create table if not exists {raw}._landing_state (
    table_name text not null primary key,
    row_count bigint not null,
    digests text[] not null,
    compared_at timestamptz not null
);
comment on table {raw}._landing_runs is
    'One row per published landing. loaded_at is its clock: the _loaded_at of the rows it changed.';
comment on table {raw}._landing_tables is
    'One row per landing and table: what MySQL counted, what was inserted, updated and deleted.';
comment on table {raw}._landing_deletions is 'One row per raw row that was deleted, with its key as a JSON object.';
comment on table {raw}._landing_exceptions is
    'One row per value that is NULL in the raw table because its type cannot hold the original.';
comment on table {raw}._landing_columns is 'One row per raw column, with the MySQL column it comes from.';
comment on table {raw}._landing_state is 'One row per raw table: the digests that tell whether the source changed.';
"""
_POSITIONS = """
alter table {raw}._landing_state
    add column checksum numeric,
    add column log_position text,
    add column is_confirmed boolean not null default false
"""
"""What warehouses of the first versions lack, and Redshift always: there every table is read."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One landing, as its records name it."""

    id: str
    started_at: datetime.datetime
    loaded_at: datetime.datetime
    """Its clock: the ``_loaded_at`` of the rows that it changes."""


@dataclasses.dataclass(frozen=True)
class Change:
    """What publication did to one raw table."""

    inserted: int
    updated: int
    deleted: int
    note: str = ""


@dataclasses.dataclass(frozen=True)
class State:
    """What is known of a raw table since it was last compared with the source as a whole."""

    row_count: int
    digests: list[str]
    compared_at: datetime.datetime
    checksum: int | None = None
    """Of the rows when they were last read."""
    log_position: str | None = None
    """Where the source's log stood then, and the hash of what was asked: ``Reading.log_position``."""
    is_confirmed: bool = False
    """Whether an earlier landing had found the log there already."""


class Records(Session):
    """Reads and writes them; what is written becomes visible with the rows that it is about."""

    def prepare(self) -> None:
        """Make the schemas and records; throw away what an earlier landing left in the staging schema."""
        self._execute(f"create schema if not exists {self.raw}")
        self._execute(RECORDS.replace("{raw}", self.raw))
        has_positions = "select 1 from pg_attribute where attrelid = %s::regclass and attname = 'log_position'"
        if not self._rows(has_positions, (f"{self.raw}._landing_state",)):  # else no lock is taken
            self._execute(_POSITIONS.replace("{raw}", self.raw))
        self._execute(f"drop schema if exists {self.staging} cascade")
        self._execute(f"create schema {self.staging}")

    def known_columns(self) -> dict[str, list[KnownColumn]]:
        """By warehouse table: its columns as of the last landing that published it, and their types as they are now."""
        known: dict[str, list[KnownColumn]] = {}
        for table, *column in self._rows(
            "select c.table_name, c.source_table, c.source_column, c.source_type, c.column_name,"
            f" format_type(a.atttypid, a.atttypmod), c.key_position from {self.raw}._landing_columns c"
            " join pg_class t on t.relnamespace = %s::regnamespace and t.relname = c.table_name and t.relkind = 'r'"
            " join pg_attribute a on a.attrelid = t.oid and a.attname = c.column_name and not a.attisdropped"
            " order by 1",
            (self.raw,),
        ):
            known.setdefault(table, []).append(KnownColumn(*column))
        return known

    def states(self) -> dict[str, State]:
        return {
            table: State(*rest)
            for table, *rest in self._rows(
                "select table_name, row_count, digests, compared_at, checksum, log_position, is_confirmed"
                f" from {self.raw}._landing_state"
            )
        }

    def suppressions(self) -> Suppressions:
        """Who was erased.

        Raises:
            SettingsError: somebody was, and ``ERASURE_KEY`` is missing or another.
        """
        if self._value("select to_regclass(%s) is null", (f"{self.erasure}.suppressions",)):
            return Suppressions()
        people = self._rows(f"select subject_hash, key_check from {self.erasure}.suppressions")
        Suppressions.check(self._settings.erasure_key, {check for _, check in people})
        rules = self._rows(
            f"select table_name, subject, subject_column, array_agg(column_name) from {self.erasure}.erased_columns"
            " group by table_name, subject, subject_column"
        )
        return Suppressions(
            (hashed for hashed, _ in people),
            {table: Rule(subject, column, frozenset(columns)) for table, subject, column, columns in rules},
            self._settings.erasure_key,
        )

    def other_source(self) -> str | None:
        """Another MySQL database, of nearly the same name, whose tables the raw schema holds."""
        name: str | None = self._value(
            f"select max(source_database) from {self.raw}._landing_runs where source_database <> %s",
            (self._settings.database,),
        )
        return name

    def last_loaded_at(self) -> datetime.datetime | None:
        moment: datetime.datetime | None = self._value(f"select max(loaded_at) from {self.raw}._landing_runs")
        return moment

    def exceptions(self, table: Table) -> int:
        """How many values of the raw table are NULL because they could not be held."""
        return int(
            self._value(f"select count(*) from {self.raw}._landing_exceptions where table_name = %s", (table.name,))
        )

    def record_table(
        self, run: Run, table: Table, change: Change, totals: Totals, exceptions: int, load_id: str
    ) -> None:
        self._execute(
            f"insert into {self.raw}._landing_tables values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (run.id, table.name, table.source.name, totals.rows, totals.checksum, change.inserted, change.updated)
            + (change.deleted, exceptions, load_id or None, run.loaded_at),
        )

    def record_columns(self, table: Table) -> None:
        self._execute(f"delete from {self.raw}._landing_columns where table_name = %s", (table.name,))
        key = {column.name: number for number, column in enumerate(table.key, 1)}
        execute_values(
            self._cursor,
            f"insert into {self.raw}._landing_columns values %s",
            [
                (table.name, table.source.name, column.name, column.source.name, column.source_type)
                + (column.policy.raw_type, key.get(column.name, 0))
                for column in table.columns
            ],
        )

    def record_state(self, table: Table, state: State) -> None:
        self._execute(f"delete from {self.raw}._landing_state where table_name = %s", (table.name,))
        self._execute(
            f"insert into {self.raw}._landing_state (table_name, row_count, digests, compared_at, checksum,"
            " log_position, is_confirmed) values (%s, %s, %s, %s, %s, %s, %s)",
            (table.name, state.row_count, state.digests, state.compared_at)
            + (state.checksum, state.log_position, state.is_confirmed),
        )

    def record_run(self, run: Run) -> None:
        self._execute(
            f"insert into {self.raw}._landing_runs values (%s, %s, %s, %s, %s)",
            (run.id, run.started_at, datetime.datetime.now(datetime.timezone.utc), run.loaded_at)
            + (self._settings.database,),
        )

    def forget(self, table_name: str) -> None:
        """Stop following a table that the source no longer has; its raw rows stay."""
        for record in ("_landing_columns", "_landing_state"):
            self._execute(f"delete from {self.raw}.{record} where table_name = %s", (table_name,))
