"""Staged and raw tables: what arrived is checked, then published in one transaction."""

import dataclasses
import datetime
from typing import Any

import psycopg2

from ingestion.blocks import Blocks
from ingestion.connection import literal
from ingestion.drift import Verdict
from ingestion.names import quote
from ingestion.plan import EXCEPTIONS, Table
from ingestion.records import Change, Records, Run
from ingestion.source import Totals
from ingestion.types import HASH_OF

MYSQL_MD5 = "CAST(CONV(LEFT(MD5({}), 8), 16, 10) AS UNSIGNED)"
"""MySQL's expression for 32 bits of a hash of ``{}``, where the warehouse has not MySQL's CRC32."""


class NotPublished(Exception):
    """Something in the warehouse is in the way of one table; the message says what to do about it."""


class Warehouse(Records):
    """PostgreSQL; what Redshift does otherwise is in ``redshift``."""

    def mysql_checksum(self, table: Table) -> str:
        """MySQL's expression for the checksum of a row, whose line is ``@landing_line``."""
        return "CRC32(@landing_line)" if self.version >= 180000 else MYSQL_MD5.replace("{}", "@landing_line")

    @property
    def publishes_blocks(self) -> bool:
        """Whether a part of a table can be published: its checksums are CRC32, which the reader has too."""
        return bool(self.version >= 180000)

    @property
    def _checksum(self) -> str:
        return "crc32(textsend({}))" if self.version >= 180000 else "('x' || left(md5({}), 8))::bit(32)::bigint"

    def _line(self, table: Table) -> str:
        return table.read_back()

    def drop_staging(self) -> None:
        self._execute(f"drop schema if exists {self.staging} cascade")

    def relations(self) -> set[str]:
        """Names in the raw schema that are taken."""
        taken = self._rows("select relname from pg_class where relnamespace = %s::regnamespace", (self.raw,))
        return {name for (name,) in taken}

    def row_count(self, table: Table) -> int:
        return int(self._value(f"select count(*) from {self.raw}.{quote(table.name)}"))

    def newest(self, table: Table) -> datetime.datetime | int | None:
        """The latest value of an incremental table's change column among the raw rows."""
        assert table.change_column
        value: datetime.datetime | int | None = self._value(
            f"select max({table.change_column.quoted}) from {self.raw}.{quote(table.name)}"
        )
        return value

    def create_staged(self, table: Table, verdict: Verdict) -> None:
        """What only is compared need not outlive a crash of the server."""
        columns = [f"{column.quoted} {column.policy.staging_type}" for column in table.columns]
        columns += [f"{quote(EXCEPTIONS)} text"] if table.keeps_exceptions else []
        self._execute(f"drop table if exists {self._staged(table)}")
        kind = "table" if verdict.adopts else "unlogged table"
        self._execute(f"create {kind} {self._staged(table)} ({', '.join(columns)})")

    def staged_totals(self, table: Table) -> Totals:
        """Count and checksum of the rows that arrived."""
        checksum = self._checksum.replace("{}", self._line(table))
        ((rows, total),) = self._rows(f"select count(*), coalesce(sum({checksum}), 0) from {self._staged(table)}")
        return Totals(int(rows), int(total))

    def staged_exceptions(self, table: Table) -> int:
        """How many rows hold a value that their type cannot."""
        if not table.keeps_exceptions:
            return 0
        return int(self._value(f"select count({quote(EXCEPTIONS)}) from {self._staged(table)}"))

    def publish(self, table: Table, verdict: Verdict, run: Run, partial: bool | Blocks, rows: int) -> Change:
        """Make the raw table equal to the staged one, touching only rows that differ.

        ``partial``: where true, the staged rows are some that may have changed, and rows that are not among them stay;
        where it names blocks, they are all rows of these blocks, and those of others stay. ``rows``: how many they are.
        """
        if verdict.adopts:
            self._refuse_to_lose_policies(table)
            grants = self._grants(table)
            dropped = []
            if verdict.breaking:
                self._record_what_a_rebuild_takes(table, run)
                dropped = self._drop_raw(table)
            note = f"dropped with the old table: {', '.join(dropped)}" if dropped else ""
            self._write_exceptions(table, run, partial)
            self._adopt(table, run)
            for grantee, privilege in grants:
                self._execute(f"grant {privilege} on {self._raw(table)} to {grantee}")
            return Change(rows, 0, 0, note)
        self._refuse_what_interferes(table)
        remade = self._alter(table, verdict)
        self._write_exceptions(table, run, partial)
        change = self._apply_changes(table, run, partial, rows)
        return dataclasses.replace(change, note=f"dropped, dbt build makes them again: {remade}") if remade else change

    def analyze(self, table: Table) -> None:
        self._execute(f"analyze {self._raw(table)}")

    # publication

    def _adopt(self, table: Table, run: Run) -> None:
        """The staged table becomes the raw table: nothing is written twice."""
        if table.keeps_exceptions:
            self._execute(f"alter table {self._staged(table)} drop column {quote(EXCEPTIONS)}")
        casts = [
            f"alter column {column.quoted} type {column.policy.raw_type} using {column.published()}"
            for column in table.columns
            if column.policy.staged_type
        ]
        stamp = f"add column _loaded_at timestamptz not null default '{run.loaded_at.isoformat()}'"
        self._execute(f"alter table {self._staged(table)} {', '.join([*casts, stamp])}")
        self._execute(f"alter table {self._staged(table)} alter column _loaded_at drop default")
        if table.staged_name != table.name:
            self._execute(f"drop table if exists {self.staging}.{quote(table.name)}")  # of the first reading
            self._execute(f"alter table {self._staged(table)} rename to {quote(table.name)}")
        self._execute(f"alter table {self.staging}.{quote(table.name)} set schema {self.raw}")

    def _grants(self, table: Table) -> list[tuple[Any, ...]]:
        """Who may do what: with the raw table that is there, and by default in the raw schema."""
        return self._rows(
            """
            select distinct
                case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
                a.privilege_type
            from (
                select relacl as acl, relowner as owner from pg_class where oid = to_regclass(%s)
                union all
                select defaclacl, defaclrole from pg_default_acl
                where defaclnamespace = %s::regnamespace and defaclobjtype = 'r'
                    and pg_get_userbyid(defaclrole) = current_user
            ) given
            cross join lateral aclexplode(given.acl) a
            where a.grantee <> given.owner
            """,
            (self._raw(table), self.raw),
        )

    def _record_what_a_rebuild_takes(self, table: Table, run: Run) -> None:
        """Rows of the raw table whose key, as it was, no new row has; none in clear that lands hashed now."""
        columns, names = {column.name: column for column in table.columns}, []
        for name, source_type in self._rows(
            f"select column_name, source_type from {self.raw}._landing_columns where table_name = %s"
            " and key_position > 0 order by key_position",
            (table.name,),
        ):
            column = columns.get(name)
            if column and column.policy.is_hash != source_type.startswith(HASH_OF):
                return
            names.append(name)
        if not names or table.name not in self.relations():
            return
        key = ", ".join(f"{literal(name)}, r.{quote(name)}" for name in names)
        gone = f"select json_build_object({key})::text as row_key from {self._raw(table)} r"
        if all(name in columns for name in names):
            key = ", ".join(f"{literal(name)}, {columns[name].published('s')}" for name in names)
            gone += f" except select json_build_object({key})::text from {self._staged(table)} s"
        self._execute(
            f"insert into {self.raw}._landing_deletions select %s, row_key, %s, %s from ({gone}) gone",
            (table.name, run.loaded_at, run.id),
        )

    def _refuse_what_interferes(self, table: Table) -> None:
        """Raises ``NotPublished`` where something made by hand would change, hide or keep what is written."""
        found = self._rows(
            """
            with raw as (select %s::regclass as oid)
            select 'trigger ' || quote_ident(tgname) from pg_trigger join raw on tgrelid = raw.oid
            where not tgisinternal and tgenabled <> 'D' and tgtype & 2 <> 0
            union all
            select 'rule ' || quote_ident(rulename) from pg_rewrite join raw on ev_class = raw.oid
            union all
            select 'child table ' || inhrelid::regclass from pg_inherits join raw on inhparent = raw.oid
            union all
            select 'deferrable constraint ' || quote_ident(conname) from pg_constraint join raw on conrelid = raw.oid
            where condeferrable
            union all
            select 'row level security, which counts for its owner as well' from raw where row_security_active(raw.oid)
            order by 1
            """,
            (self._raw(table),),
        )
        if found:
            raise NotPublished(f"drop what was made on its raw table by hand: {', '.join(what for (what,) in found)}")

    def _refuse_to_lose_policies(self, table: Table) -> None:
        if self._value(
            "select exists (select from pg_class c where c.oid = to_regclass(%s)"
            " and (c.relrowsecurity or exists (select from pg_policy p where p.polrelid = c.oid)))",
            (self._raw(table),),
        ):
            raise NotPublished(
                "its raw table has row level security, which the new one would not have: drop the policies and disable"
                " it, land, and make them again"
            )

    def _drop_raw(self, table: Table) -> list[str]:
        """Drop the raw table and the views on it; returns their names."""
        views = [name for name, *_ in self._dependent_views(table)]
        self._execute(f"drop table if exists {self._raw(table)} cascade")
        return views

    def _alter(self, table: Table, verdict: Verdict) -> str:
        """Add and widen columns; returns the views that this dropped."""
        columns = {column.name: column for column in table.columns}
        steps = [f"add column {quote(name)} {columns[name].policy.raw_type}" for name in verdict.added]
        if verdict.widened:
            views = self._dependent_views(table)
            foreign = not all(is_ours for *_, is_ours in views)
            if foreign:  # another role's can be dropped with their table, and made again by that role only
                self._replace_by_copy(table)
            else:
                for name, *_ in reversed(views):
                    self._execute(f"drop view {name}")
            steps += [f"alter column {quote(name)} type {columns[name].policy.raw_type}" for name in verdict.widened]
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

    def _replace_by_copy(self, table: Table) -> None:
        """The same rows and grants, without the views."""
        self._refuse_to_lose_policies(table)
        raw, copy, grants = self._raw(table), f"{self.raw}._landing_copy", self._grants(table)
        self._execute(f"create table {copy} (like {raw} including all)")
        self._execute(f"insert into {copy} select * from {raw}")
        self._execute(f"drop table {raw} cascade")
        self._execute(f"alter table {copy} rename to {quote(table.name)}")
        for grantee, privilege in grants:
            self._execute(f"grant {privilege} on {raw} to {grantee}")

    def _dependent_views(self, table: Table) -> list[tuple[Any, ...]]:
        """Views on the raw table, each after those it reads: name, definition, owner, grants, options, whether ours."""
        return self._rows(
            """
            with recursive dependents(oid, depth) as (
                select to_regclass(%s)::oid, 0
                union all
                select w.ev_class, dependents.depth + 1
                from dependents
                join pg_depend d on d.refobjid = dependents.oid and d.classid = 'pg_rewrite'::regclass
                join pg_rewrite w on w.oid = d.objid and w.ev_class <> dependents.oid
            )
            select
                c.oid::regclass::text,
                pg_get_viewdef(c.oid),
                quote_ident(pg_get_userbyid(c.relowner)),
                (select array_agg(array[
                    case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
                    a.privilege_type])
                 from aclexplode(c.relacl) a where a.grantee <> c.relowner),
                array_to_string(c.reloptions, ', '),
                pg_has_role(c.relowner, 'usage')
            from (select oid, max(depth) as depth from dependents where depth > 0 group by oid) found
            join pg_class c on c.oid = found.oid and c.relkind = 'v'
            order by found.depth
            """,
            (f"{self.raw}.{quote(table.name)}",),
        )

    def _apply_changes(self, table: Table, run: Run, partial: bool | Blocks, rows: int) -> Change:
        raw, staged = self._raw(table), self._staged(table)
        by_key = bool(table.key) and not self.has_empty_key(table)
        found = self._find_changes(self._difference(table, partial) if by_key else self._difference_by_row(table))
        if by_key and not partial and self._pairs_are_wrong(table, rows, found):
            self._execute("drop table _changes")
            found = self._find_changes(self._difference_by_row(table))
        names = ", ".join(column.quoted for column in table.columns)
        values = ", ".join(column.published("s") for column in table.columns)
        key, staged_key = self._row_key(table, "r", staged=False), self._row_key(table, "s", staged=True)
        # compared as a whole, a row that changed goes and comes
        comes = f" and not exists (select from {staged} s where {staged_key} = {key})"
        self._execute(
            f"insert into {self.raw}._landing_deletions select %s, {key}, %s, %s"
            f" from {raw} r join _changes c on c.raw_row = r.ctid where c.staged_row is null"
            f"{'' if by_key or not table.key else comes}",
            (table.name, run.loaded_at, run.id),
        )
        deleted = self._execute(
            f"delete from {raw} r using _changes c where c.raw_row = r.ctid and c.staged_row is null"
        )
        updated = self._execute(
            f"update {raw} r set ({names}, _loaded_at) = row({values}, %s) from _changes c join {staged} s"
            " on s.ctid = c.staged_row where c.raw_row = r.ctid",
            (run.loaded_at,),
        )
        inserted = self._execute(
            f"insert into {raw} ({names}, _loaded_at) select {values}, %s from _changes c join {staged} s"
            " on s.ctid = c.staged_row where c.raw_row is null",
            (run.loaded_at,),
        )
        self._execute("drop table _changes")
        change = Change(inserted, updated, deleted)
        if change != found:
            raise NotPublished("another session changed rows of its raw table meanwhile: run again")
        return change

    def _find_changes(self, difference: str) -> Change:
        """Make ``_changes`` of pairs of row addresses that differ; returns what they ask for."""
        self._execute(f"create temporary table _changes on commit drop as {difference}")
        self._execute("analyze _changes")
        new, differing, gone = self._rows(
            "select count(*) filter (where raw_row is null), count(raw_row) filter (where staged_row is not null),"
            " count(*) filter (where staged_row is null) from _changes"
        )[0]
        return Change(new, differing, gone)

    def _pairs_are_wrong(self, table: Table, rows: int, found: Change) -> bool:
        """Whether rows share a key after all, as in engines that promise keys and do not hold them (MERGE)."""
        if self.row_count(table) + found.inserted - found.deleted != rows:
            return True
        pairs = "select 1 from _changes where raw_row is not null and staged_row is not null"
        return any(
            self._rows(f"{pairs} group by {row} having count(*) > 1 limit 1") for row in ("raw_row", "staged_row")
        )

    def _difference_by_row(self, table: Table) -> str:
        """Row addresses of what is on one side only, each copy of a row by itself."""
        kept = self._row_text(table, "r", staged=False), self._row_text(table, "s", staged=True)
        return f"""
            select r.address as raw_row, s.address as staged_row from
            (select ctid as address, row_number() over (partition by line order by ctid) as copy, line
             from (select r.ctid, md5({kept[0]}) as line from {self._raw(table)} r) r) r
            full join
            (select ctid as address, row_number() over (partition by line order by ctid) as copy, line
             from (select s.ctid, md5({kept[1]}) as line from {self._staged(table)} s) s) s
            on r.line = s.line and r.copy = s.copy where r.line is null or s.line is null
        """

    def _difference(self, table: Table, partial: bool | Blocks) -> str:
        """Pairs of row addresses that differ, by key."""
        pairs = [(f"r.{column.quoted}", column.published("s"), column) for column in table.columns]
        on = " and ".join(f"{left} = {right}" for left, right, column in pairs if column in table.key)
        rest = [
            # as text: minus zero is zero to a float's equality
            (f"{left}::text", f"{right}::text") if column.policy.staged_type else (left, right)
            for left, right, column in pairs
            if column not in table.key or column.policy.staged_type
        ]
        missing = f"s.{table.key[0].quoted} is null or r.{table.key[0].quoted} is null"
        if rest:
            left_row, right_row = (", ".join(side) for side in zip(*rest, strict=True))
            missing = f"{missing} or ({left_row}) is distinct from ({right_row})"
        join = "right" if partial is True else "full"
        return (
            f"select r.ctid as raw_row, s.ctid as staged_row from {self._part(table, partial)} r"
            f" {join} join {self._staged(table)} s on {on} where {missing}"
        )

    def _part(self, table: Table, partial: bool | Blocks) -> str:
        """The raw rows that the staged ones stand for, and perhaps more."""
        if not isinstance(partial, Blocks):
            return self._raw(table)
        block = f"{table.key[0].quoted}::bigint >> {partial.bits}"
        numbers = ",".join(map(str, partial.numbers))
        return f"(select ctid, * from {self._raw(table)} where {block} = any('{{{numbers}}}'::bigint[]))"

    def has_repeated_key(self, table: Table) -> bool:
        """Whether staged rows share a key."""
        names = ", ".join(column.quoted for column in table.key)
        return bool(self._rows(f"select 1 from {self._staged(table)} group by {names} having count(*) > 1 limit 1"))

    def has_empty_key(self, table: Table) -> bool:
        """Whether a key column is NULL somewhere because its value could not be held."""
        unsure = [column.quoted for column in table.key if column.unfit]
        if not unsure:
            return False
        empty = " or ".join(f"{name} is null" for name in unsure)
        return any(
            self._rows(f"select 1 from {relation} where {empty} limit 1")
            for relation in (self._raw(table), self._staged(table))
        )

    def _row_text(self, table: Table, alias: str, *, staged: bool) -> str:
        values = [column.published(alias) if staged else f"{alias}.{column.quoted}" for column in table.columns]
        lengths = [f"coalesce(length({value}::text) || ':' || {value}::text, '-')" for value in values]
        return " || ',' || ".join(lengths)

    def _row_key(self, table: Table, alias: str, *, staged: bool) -> str:
        """The row's key as a JSON object; without a key, or where it could not be held, the MD5 of the whole row."""
        whole = f"json_build_object('row_md5', md5({self._row_text(table, alias, staged=staged)}))::text"
        if not table.key:
            return whole
        values = {column: column.published(alias) if staged else f"{alias}.{column.quoted}" for column in table.key}
        pairs = [f"{literal(column.name)}, {value}" for column, value in values.items()]
        empty = [f"{value} is null" for column, value in values.items() if column.unfit]
        key = f"json_build_object({', '.join(pairs)})::text"
        return f"case when {' or '.join(empty)} then {whole} else {key} end" if empty else key

    def _write_exceptions(self, table: Table, run: Run, partial: bool | Blocks) -> None:
        """Replace the records of values that could not be held."""
        name, key = (table.name,), self._row_key(table, "s", staged=True)
        if partial:  # values of rows that were not loaded may be kept, also where none of these needed it
            blocks = isinstance(partial, Blocks)
            rows = f"{self._part(table, partial)} r" if blocks else f"{self._staged(table)} s"
            row_key = self._row_key(table, "r", staged=False) if blocks else key
            self._execute(
                f"delete from {self.raw}._landing_exceptions e using {rows}"
                f" where e.table_name = %s and e.row_key = {row_key}",
                name,
            )
        else:
            self._execute(f"delete from {self.raw}._landing_exceptions where table_name = %s", name)
        if not table.keeps_exceptions or not self.staged_exceptions(table):
            return
        columns = [
            (number, column.name, column.policy.original_is_hex, column.policy.unfit_reason)
            for number, column in enumerate(table.columns)
            if column.unfit
        ]
        described = ", ".join(
            f"({number}, {literal(column)}, {hexed}, {literal(reason)})" for number, column, hexed, reason in columns
        )
        self._execute(
            f"""
            insert into {self.raw}._landing_exceptions
            select %s, d.name, {key},
                case when d.hexed then lower(split_part(w.word, ':', 2))
                     else convert_from(decode(split_part(w.word, ':', 2), 'hex'), 'UTF8') end,
                case when d.hexed then 'hex' else 'text' end, d.reason, %s
            from {self._staged(table)} s
            cross join lateral regexp_split_to_table(s.{quote(EXCEPTIONS)}, ' ') w (word)
            join (values {described}) d (number, name, hexed, reason) on d.number = split_part(w.word, ':', 1)::int
            """,
            (table.name, run.loaded_at),
        )

    # the connection

    def _raw(self, table: Table) -> str:
        return f"{self.raw}.{quote(table.name)}"

    def _staged(self, table: Table) -> str:
        return f"{self.staging}.{quote(table.staged_name)}"

    def why(self, table: Table, error: psycopg2.Error) -> str:
        """Why a statement about a table was refused, without a value of a row; asked for after the transaction."""
        return f"SQLSTATE {error.pgcode}"
