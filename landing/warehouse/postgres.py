"""PostgreSQL as the warehouse: arrived rows are checked, then published in one transaction."""

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import psycopg2

from landing.columns import EXCEPTIONS, HASH_OF, ColumnPlan, LineFormat, RowSum, SentText, TablePlan, WarehouseType
from landing.drift import DriftVerdict
from landing.names import quote
from landing.parts import Blocks, NewerRows, Part, WholeTable
from landing.records import ChangeCounts, LandingRun, Records, RecordTypes
from landing.settings import Settings
from landing.steps import reached
from landing.warehouse import queries
from landing.warehouse.protocol import NotPublished
from landing.warehouse.queries import published
from landing.warehouse.session import AnotherLanding, Session, WarehouseUnavailable, is_of_the_server, literal, where

_QUERIES = {
    name: query
    for name, _, query in (
        part.partition("\n") for part in Path(__file__).with_suffix(".sql").read_text("utf-8").split("-- query: ")[1:]
    )
}


Purpose = Literal["land", "follow", "build"]
_PURPOSES: dict[Purpose, str] = {"land": "landing into", "follow": "follower of", "build": "build on"}


class Postgres:
    """See ``protocol.Warehouse``."""

    def __init__(self, settings: Settings):
        """Connect and take the lock. Raises as ``locked_session``."""
        self.session = locked_session(settings)
        self.records = Records(self.session, RecordTypes())
        self._settings = settings
        self._execute, self._rows, self._value = self.session.execute, self.session.rows, self.session.value
        self._raw, self._arrivals, self._schema = self.session.raw_table, self.session.arrival_table, self.session.raw
        has_crc32 = self.session.connection.server_version >= 180000
        self.line_format = LineFormat(settings.checksum or ("crc32" if has_crc32 else "md5"))
        self.publishes_blocks = self.line_format.checksum == "crc32"

    def close(self) -> None:
        self.session.close()

    def check(self) -> None:
        """Nothing to check: the session has no idle timeout."""

    def begin(self) -> None:
        self._execute("begin isolation level read committed")

    def commit(self) -> None:
        self.session.commit()

    def why(self, table: TablePlan, error: psycopg2.Error) -> str:
        return f"SQLSTATE {error.pgcode}"

    # what is there

    def prepare(self) -> None:
        self._execute(f"create schema if not exists {self._schema}")
        self.records.create()
        queries.drop_arrivals(self.session)
        self._execute(f"create schema {self.session.arrivals}")

    def relations(self) -> set[str]:
        taken = "select relname from pg_class where relnamespace = %s::regnamespace"
        return {name for (name,) in self._rows(taken, (self._schema,))}

    def present_columns(self) -> dict[tuple[str, str], str]:
        return {
            (table, column): raw_type
            for table, column, raw_type in self._rows(
                "select t.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_class t"
                " join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped"
                " where t.relnamespace = %s::regnamespace and t.relkind = 'r'",
                (self._schema,),
            )
        }

    # rows that arrive

    def type_of(self, sent: SentText) -> WarehouseType:
        if sent.type == "double precision":  # compared as text
            return WarehouseType(sent.type, arrives_as="text")
        if sent.type.startswith("timestamp"):
            return WarehouseType(sent.type, read_back=_moment(sent))
        if sent.type == "bytea":
            return WarehouseType(sent.type, read_back=r"'\x' || encode({}, 'hex')")
        if sent.encoded:
            plain_or_not = "case when left({}, 1) = 't' then substr({}, 2)"
            decoded = " else convert_from(decode(substr({}, 2), 'base64'), 'UTF8') end"
            return WarehouseType("text", arrives_as="text", published=plain_or_not + decoded)
        return WarehouseType(sent.type)

    def create_arrivals(self, table: TablePlan, verdict: DriftVerdict) -> None:
        """A table only for comparison is unlogged: it need not survive a crash of the server."""
        columns = [f"{column.quoted} {column.type.arrival_type}" for column in table.columns]
        columns += [f"{quote(EXCEPTIONS)} text"] if table.keeps_exceptions else []
        self._execute(f"drop table if exists {self._arrivals(table)}")
        kind = "table" if verdict.adopts else "unlogged table"
        self._execute(f"create {kind} {self._arrivals(table)} ({', '.join(columns)})")

    def arrived(self, table: TablePlan) -> RowSum:
        parts = table.fields([_field(column) for column in table.columns], quote(EXCEPTIONS))
        crc32, md5 = "crc32(textsend({}))", "('x' || left(md5({}), 8))::bit(32)::bigint"
        checksum = crc32 if self.line_format.checksum == "crc32" else md5
        return queries.arrived(self.session, table, checksum.replace("{}", _concat(parts)))

    # publication

    def publish(self, table: TablePlan, verdict: DriftVerdict, run: LandingRun, part: Part, rows: int) -> ChangeCounts:
        if verdict.adopts:
            self._refuse_to_lose_policies(table)
            grants = self._grants(table)
            dropped = []
            if verdict.breaking:
                self._record_what_a_rebuild_takes(table, run)
                dropped = self._drop_raw(table)
            note = f"dropped with the old table: {', '.join(dropped)}" if dropped else ""
            self._write_exceptions(table, run, part)
            self._adopt(table, run)
            for grantee, privilege in grants:
                self._execute(f"grant {privilege} on {self._raw(table)} to {grantee}")
            return ChangeCounts(rows, 0, 0, note)
        self._refuse_what_interferes(table)
        remade = self._alter(table, verdict)
        self._write_exceptions(table, run, part)
        change = self._apply_changes(table, run, part, rows)
        remade = f"dropped, dbt build makes them again: {remade}" if remade else ""
        return dataclasses.replace(change, note="; ".join(filter(None, (change.note, remade))))

    def _adopt(self, table: TablePlan, run: LandingRun) -> None:
        """The table of arrivals becomes the raw table. Nothing is written twice."""
        if table.keeps_exceptions:
            self._execute(f"alter table {self._arrivals(table)} drop column {quote(EXCEPTIONS)}")
        casts = [
            f"alter column {column.quoted} type {column.type.raw_type} using {published(column)}"
            for column in table.columns
            if column.type.arrives_as
        ]
        stamp = f"add column _loaded_at timestamptz not null default '{run.loaded_at.isoformat()}'"
        self._execute(f"alter table {self._arrivals(table)} {', '.join([*casts, stamp])}")
        self._execute(f"alter table {self._arrivals(table)} alter column _loaded_at drop default")
        if table.arrival_name != table.name:
            self._execute(f"drop table if exists {self.session.arrivals}.{quote(table.name)}")  # of the first reading
            self._execute(f"alter table {self._arrivals(table)} rename to {quote(table.name)}")
        self._execute(f"alter table {self.session.arrivals}.{quote(table.name)} set schema {self._schema}")

    def _grants(self, table: TablePlan) -> list[tuple[Any, ...]]:
        """Grants on the present raw table, and default grants of the raw schema."""
        return self._rows(_QUERIES["grants"], (self._raw(table), self._schema))

    def _record_what_a_rebuild_takes(self, table: TablePlan, run: LandingRun) -> None:
        """Record the raw rows that a rebuild deletes.

        1. A raw row is recorded if no new row has the same values in the columns of the old key.
        2. If a column of the old key is not among the new ones, every raw row is recorded.
        3. If hashing of a key column was switched on or off, nothing is recorded. So no clear key is kept.
        """
        columns, names = {column.name: column for column in table.columns}, []
        for name, source_type in self._rows(
            f"select column_name, source_type from {self._schema}._landing_columns where table_name = %s"
            " and key_position > 0 order by key_position",
            (table.name,),
        ):
            column = columns.get(name)
            if column and column.sent.is_hash != source_type.startswith(HASH_OF):
                return
            names.append(name)
        if not names or table.name not in self.relations():
            return
        key = ", ".join(f"{literal(name)}, r.{quote(name)}" for name in names)
        gone = f"select json_build_object({key})::text as row_key from {self._raw(table)} r"
        if all(name in columns for name in names):
            key = ", ".join(f"{literal(name)}, {published(columns[name], 's')}" for name in names)
            gone += f" except select json_build_object({key})::text from {self._arrivals(table)} s"
        self._execute(
            f"insert into {self._schema}._landing_deletions select %s, row_key, %s, %s from ({gone}) gone",
            (table.name, run.loaded_at, run.id),
        )

    def _refuse_what_interferes(self, table: TablePlan) -> None:
        """Raises ``NotPublished`` if something made by hand would change, hide or keep written rows."""
        found = self._rows(_QUERIES["what_interferes"], (self._raw(table),))
        if found:
            raise NotPublished(f"drop what was made on its raw table by hand: {', '.join(what for (what,) in found)}")

    def _refuse_to_lose_policies(self, table: TablePlan) -> None:
        if self._value(
            "select exists (select from pg_class c where c.oid = to_regclass(%s)"
            " and (c.relrowsecurity or exists (select from pg_policy p where p.polrelid = c.oid)))",
            (self._raw(table),),
        ):
            raise NotPublished(
                "its raw table has row level security, which the new one would not have: drop the policies and disable"
                " it, land, and make them again"
            )

    def _drop_raw(self, table: TablePlan) -> list[str]:
        """Drop the raw table and the views on it. Returns the names of the views."""
        views = [name for name, *_ in self._dependent_views(table)]
        self._execute(f"drop table if exists {self._raw(table)} cascade")
        return views

    def _alter(self, table: TablePlan, verdict: DriftVerdict) -> str:
        """Add and widen columns. Returns the names of views dropped for good.

        1. Without a wider column, no view is touched.
        2. If all views on the table are ours, they are dropped and made again with their options, grants and owner.
        3. If a view is another role's, only that role can make it again. A copy without views replaces the table.
        """
        columns = {column.name: column for column in table.columns}
        steps = [f"add column {quote(name)} {columns[name].type.raw_type}" for name in verdict.added]
        if verdict.widened:
            views = self._dependent_views(table)
            foreign = not all(is_ours for *_, is_ours in views)
            if foreign:  # another role's view can be dropped with the table, but only that role can make it again
                self._replace_by_copy(table)
            else:
                for name, *_ in reversed(views):
                    self._execute(f"drop view {name}")
            steps += [f"alter column {quote(name)} type {columns[name].type.raw_type}" for name in verdict.widened]
            self._execute(f"alter table {self._raw(table)} {', '.join(steps)}")
            if foreign:
                return ", ".join(name for name, *_ in views)
            for name, definition, owner, grants, options, _ in views:
                self._execute(f"create view {name} {f'with ({options})' if options else ''} as {definition}")
                for grantee, privilege in grants or []:
                    self._execute(f"grant {privilege} on {name} to {grantee}")
                self._execute(f"alter view {name} owner to {owner}")
        elif steps:
            self._execute(f"alter table {self._raw(table)} {', '.join(steps)}")
        return ""

    def _replace_by_copy(self, table: TablePlan) -> None:
        """Replace the raw table by one with the same rows and grants, without its views."""
        self._refuse_to_lose_policies(table)
        raw, copy, grants = self._raw(table), f"{self._schema}._landing_copy", self._grants(table)
        self._execute(f"create table {copy} (like {raw} including all)")
        self._execute(f"insert into {copy} select * from {raw}")
        self._execute(f"drop table {raw} cascade")
        self._execute(f"alter table {copy} rename to {quote(table.name)}")
        for grantee, privilege in grants:
            self._execute(f"grant {privilege} on {raw} to {grantee}")

    def _dependent_views(self, table: TablePlan) -> list[tuple[Any, ...]]:
        """Views on the raw table, each after those it reads: name, definition, owner, grants, options, whether ours."""
        return self._rows(_QUERIES["dependent_views"], (self._raw(table),))

    def _apply_changes(self, table: TablePlan, run: LandingRun, part: Part, rows: int) -> ChangeCounts:
        raw, arrivals = self._raw(table), self._arrivals(table)
        by_key = bool(table.key) and not queries.has_empty_key(self.session, table)
        found = self._find_changes(self._difference(table, part) if by_key else self._difference_by_row(table))
        if by_key and isinstance(part, WholeTable) and self._pairs_are_wrong(table, rows, found):
            self._execute("drop table _changes")
            found = self._find_changes(self._difference_by_row(table))
        missed = self._missed(table, part, found)
        names = ", ".join(column.quoted for column in table.columns)
        values = ", ".join(published(column, "s") for column in table.columns)
        key, arrived_key = self._row_key(table, "r", arrived=False), self._row_key(table, "s", arrived=True)
        # without comparison by key, a changed row is deleted and inserted; that is no deletion to record
        comes = f" and not exists (select from {arrivals} s where {arrived_key} = {key})"
        self._execute(
            f"insert into {self._schema}._landing_deletions select %s, {key}, %s, %s"
            f" from {raw} r join _changes c on c.raw_row = r.ctid where c.arrived_row is null"
            f"{'' if by_key or not table.key else comes}",
            (table.name, run.loaded_at, run.id),
        )
        deleted = self._execute(
            f"delete from {raw} r using _changes c where c.raw_row = r.ctid and c.arrived_row is null"
        )
        updated = self._execute(
            f"update {raw} r set ({names}, _loaded_at) = row({values}, %s) from _changes c join {arrivals} s"
            " on s.ctid = c.arrived_row where c.raw_row = r.ctid",
            (run.loaded_at,),
        )
        inserted = self._execute(
            f"insert into {raw} ({names}, _loaded_at) select {values}, %s from _changes c join {arrivals} s"
            " on s.ctid = c.arrived_row where c.raw_row is null",
            (run.loaded_at,),
        )
        self._execute("drop table _changes")
        change = ChangeCounts(inserted, updated, deleted)
        if change != found:
            raise NotPublished("another session changed rows of its raw table meanwhile: run again")
        return dataclasses.replace(change, note=missed)

    def _missed(self, table: TablePlan, part: Part, found: ChangeCounts) -> str:
        """A note of the rows that differ, although the source's log did not name them."""
        if not isinstance(part, WholeTable) or part.named is None:
            return ""
        missed = found.inserted + found.updated + found.deleted
        if part.named:
            key, numbers = table.key[0], ",".join(map(str, part.named))
            ((missed,),) = self._rows(
                f"select count(*) from _changes c left join {self._raw(table)} r on r.ctid = c.raw_row"
                f" left join {self._arrivals(table)} s on s.ctid = c.arrived_row"
                f" where coalesce(r.{key.quoted}, {published(key, 's')}) <> all('{{{numbers}}}'::{key.type.raw_type}[])"
            )
        why = "with sql_log_bin = 0, or in the warehouse by hand"
        return f"{missed} rows differ that the binary log did not name: changed {why}" if missed else ""

    def _find_changes(self, difference: str) -> ChangeCounts:
        """Make the table ``_changes``: pairs of addresses of rows that differ. Returns their numbers."""
        self._execute(f"create temporary table _changes on commit drop as {difference}")
        self._execute("analyze _changes")
        new, differing, gone = self._rows(
            "select count(*) filter (where raw_row is null), count(raw_row) filter (where arrived_row is not null),"
            " count(*) filter (where arrived_row is null) from _changes"
        )[0]
        return ChangeCounts(new, differing, gone)

    def _pairs_are_wrong(self, table: TablePlan, rows: int, found: ChangeCounts) -> bool:
        """Whether rows share a key after all. Some engines (MERGE) promise keys and do not enforce them."""
        if queries.row_count(self.session, table) + found.inserted - found.deleted != rows:
            return True
        pairs = "select 1 from _changes where raw_row is not null and arrived_row is not null"
        return any(
            self._rows(f"{pairs} group by {row} having count(*) > 1 limit 1") for row in ("raw_row", "arrived_row")
        )

    def _difference_by_row(self, table: TablePlan) -> str:
        """Addresses of rows on one side only. Each copy of a row counts by itself."""
        kept = self._row_text(table, "r", arrived=False), self._row_text(table, "s", arrived=True)
        return f"""
            select r.address as raw_row, s.address as arrived_row from
            (select ctid as address, row_number() over (partition by line order by ctid) as copy, line
             from (select r.ctid, md5({kept[0]}) as line from {self._raw(table)} r) r) r
            full join
            (select ctid as address, row_number() over (partition by line order by ctid) as copy, line
             from (select s.ctid, md5({kept[1]}) as line from {self._arrivals(table)} s) s) s
            on r.line = s.line and r.copy = s.copy where r.line is null or s.line is null
        """

    def _difference(self, table: TablePlan, part: Part) -> str:
        """Pairs of addresses of rows that differ, matched by key."""
        pairs = [(f"r.{column.quoted}", published(column, "s"), column) for column in table.columns]
        on = " and ".join(f"{left} = {right}" for left, right, column in pairs if column in table.key)
        rest = [
            # as text: minus zero is zero to a float's equality
            (f"{left}::text", f"{right}::text") if column.type.arrives_as else (left, right)
            for left, right, column in pairs
            if column not in table.key or column.type.arrives_as
        ]
        missing = f"s.{table.key[0].quoted} is null or r.{table.key[0].quoted} is null"
        if rest:
            left_row, right_row = (", ".join(side) for side in zip(*rest, strict=True))
            missing = f"{missing} or ({left_row}) is distinct from ({right_row})"
        join = "right" if isinstance(part, NewerRows) else "full"
        return (
            f"select r.ctid as raw_row, s.ctid as arrived_row from {self._part(table, part)} r"
            f" {join} join {self._arrivals(table)} s on {on} where {missing}"
        )

    def _part(self, table: TablePlan, part: Part) -> str:
        """The raw rows to compare with the arrived ones, and perhaps more."""
        if not isinstance(part, Blocks):
            return self._raw(table)
        key = table.key[0]  # by its own type: else no hash of the numbers is made, and no index is taken
        block = (f"{key.quoted}::bigint >> {part.bits}", "bigint") if part.bits else (key.quoted, key.type.raw_type)
        numbers = ",".join(map(str, part.numbers))
        return f"(select ctid, * from {self._raw(table)} where {block[0]} = any('{{{numbers}}}'::{block[1]}[]))"

    def _row_text(self, table: TablePlan, alias: str, *, arrived: bool) -> str:
        values = [published(column, alias) if arrived else f"{alias}.{column.quoted}" for column in table.columns]
        lengths = [f"coalesce(length({value}::text) || ':' || {value}::text, '-')" for value in values]
        return " || ',' || ".join(lengths)

    def _row_key(self, table: TablePlan, alias: str, *, arrived: bool) -> str:
        """The row's key as a JSON object. Without a key, or if the key did not fit: the MD5 of the whole row."""
        whole = f"json_build_object('row_md5', md5({self._row_text(table, alias, arrived=arrived)}))::text"
        if not table.key:
            return whole
        values = {column: published(column, alias) if arrived else f"{alias}.{column.quoted}" for column in table.key}
        pairs = [f"{literal(column.name)}, {value}" for column, value in values.items()]
        empty = [f"{value} is null" for column, value in values.items() if column.may_be_unfit]
        key = f"json_build_object({', '.join(pairs)})::text"
        return f"case when {' or '.join(empty)} then {whole} else {key} end" if empty else key

    def _write_exceptions(self, table: TablePlan, run: LandingRun, part: Part) -> None:
        """Replace the records of values that did not fit."""
        name, key = (table.name,), self._row_key(table, "s", arrived=True)
        if not isinstance(part, WholeTable):  # records of rows that were not loaded may exist and must stay
            blocks = isinstance(part, Blocks)
            rows = f"{self._part(table, part)} r" if blocks else f"{self._arrivals(table)} s"
            row_key = self._row_key(table, "r", arrived=False) if blocks else key
            self._execute(
                f"delete from {self._schema}._landing_exceptions e using {rows}"
                f" where e.table_name = %s and e.row_key = {row_key}",
                name,
            )
        else:
            self._execute(f"delete from {self._schema}._landing_exceptions where table_name = %s", name)
        if not table.keeps_exceptions or not queries.arrived_exceptions(self.session, table):
            return
        columns = [
            (number, column.name, column.sent.original_is_hex, column.sent.unfit_reason)
            for number, column in enumerate(table.columns)
            if column.may_be_unfit
        ]
        described = ", ".join(
            f"({number}, {literal(column)}, {hexed}, {literal(reason)})" for number, column, hexed, reason in columns
        )
        self._execute(
            f"""
            insert into {self._schema}._landing_exceptions
            select %s, d.name, {key},
                case when d.hexed then lower(split_part(w.word, ':', 2))
                     else convert_from(decode(split_part(w.word, ':', 2), 'hex'), 'UTF8') end,
                case when d.hexed then 'hex' else 'text' end, d.reason, %s
            from {self._arrivals(table)} s
            cross join lateral regexp_split_to_table(s.{quote(EXCEPTIONS)}, ' ') w (word)
            join (values {described}) d (number, name, hexed, reason) on d.number = split_part(w.word, ':', 1)::int
            """,
            (table.name, run.loaded_at),
        )


def locked_session(settings: Settings, purpose: Purpose = "land") -> Session:
    """A connection that holds the raw schema's lock for this purpose until it is closed.

    There may be one landing, one follower, and one build that a follower waits for.

    Raises:
        WarehouseUnavailable: names the server and the user, and the reason.
        AnotherLanding: one is running and did not end within ``lock_wait`` seconds.
    """
    session = Session(settings, is_of_the_server)
    if session.value("show server_encoding") != "UTF8":
        database = settings.login["dbname"]
        raise WarehouseUnavailable(
            f"{where(settings)}: database {database} is not encoded in UTF8: CREATE DATABASE ... ENCODING 'UTF8'"
            " TEMPLATE template0, and name it in PGDATABASE. Nothing was read."
        )
    if session.connection.server_version >= 140000:
        # a landing that was killed must not hold the lock until its statement ends
        session.execute("set client_connection_check_interval = '1s'")
        session.execute("set idle_session_timeout = 0")  # it waits while the rows are read
    session.execute("set work_mem = '128MB'")
    session.execute("set parallel_tuple_cost = 0")  # of the pairs compared, few are handed on
    session.execute("set lock_timeout = %s", (f"{max(1, settings.lock_wait)}s",))
    name = settings.raw_schema if purpose == "land" else f"{purpose} {settings.raw_schema}"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    until = time.monotonic() + settings.lock_wait
    while not session.value("select pg_try_advisory_lock(%s)", (number,)):
        if time.monotonic() > until:
            raise AnotherLanding(
                f"Another {_PURPOSES[purpose]} {settings.raw_schema} is running. Nothing was done; run again when it"
                " ended."
            )
        time.sleep(0.2)
    reached("locked")
    return session


def _moment(sent: SentText) -> str:
    fraction = {0: "", 3: ".MS"}.get(sent.digits, ".US")
    zoned = sent.type == "timestamp with time zone"
    value = "{} at time zone 'UTC'" if zoned else "{}"
    text = f"to_char({value}, 'YYYY-MM-DD HH24:MI:SS{fraction}')"
    if sent.digits not in (0, 3, 6):
        text = f"left({text}, {20 + sent.digits})"
    return f"{text} || '+00'" if zoned else text


def _field(column: ColumnPlan) -> str:
    """Expression of any type. Its text is the field exactly as sent; NULL gives an empty field."""
    text = column.type.read_back.replace("{}", column.quoted)
    if column.sent.quoted:
        text = f"""replace({text}, '"', '""')"""
    return f"""'"' || {text} || '"'""" if column.sent.quoted and column.may_be_empty else text


def _concat(parts: Sequence[str]) -> str:
    """A function takes at most 100 arguments."""
    joined = [f"concat({', '.join(parts[start : start + 50])})" for start in range(0, len(parts), 50)]
    return joined[0] if len(joined) == 1 else _concat(joined)
