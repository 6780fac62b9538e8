"""The erasure itself: one transaction for all tables, then each changed table rewritten."""

import dataclasses
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from landing.erased import ERASED, Suppressions, key_check, subject_hash
from landing.mysql.types import erased_value
from landing.names import quote
from landing.settings import Settings
from landing.warehouse.postgres import locked_session
from landing.warehouse.session import WarehouseUnavailable
from privacy import ErasureError, Unfinished
from privacy.plan import ErasurePlan, PersonalTable
from review.schemas import MARK as REVIEWS

_RECORDS = Path(__file__).with_name("erasure.sql")
_PEOPLE_OF_A_VALUE = 10
"""A text that more people have, such as a dash, says nothing about one of them."""
_TEXTS = ("text", "character varying", "character")
_SHORTEST = 3
_SHORTEST_PART = 6
"""Characters of a text that is found within others, too."""


@dataclasses.dataclass
class ErasureCounts:
    """The changes of one erasure, done or only planned."""

    rows: dict[str, int]
    """Changed rows, by table."""
    dropped: dict[str, int]
    """By schema, how many tables went with it."""
    is_new: bool
    """False: the person was erased before, and nothing was left to do."""

    def add(self, other: "ErasureCounts") -> None:
        self.rows = dict(Counter(self.rows) + Counter(other.rows))
        self.dropped |= other.dropped
        self.is_new |= other.is_new


class ErasureSession:
    """Holds the landing's lock: no landing runs at the same time."""

    def __init__(self, settings: Settings):
        """Raises ``WarehouseUnavailable``, ``AnotherLanding``."""
        self._session, self._settings = locked_session(settings), settings
        self._execute, self._rows, self._value = self._session.execute, self._session.rows, self._session.value
        self.raw, self.erasure, self.close = self._session.raw, self._session.erasure, self._session.close
        self._texts: set[str] = set()
        """The texts of the people of this run, in small letters."""
        self._text_hashes: set[str] = set()
        """Hashes of these, and of those that earlier runs erased."""

    def listed(self, plan: ErasurePlan) -> list[str]:
        """The keys of people on the list, as far as the warehouse still knows them."""
        hashes = self._listed_hashes()
        keys: set[str] = set()
        for target in plan.targets:
            table = f"{quote(target.schema)}.{quote(target.name)}"
            if not self._value("select to_regclass(%s) is null", (table,)):
                column = quote(target.subject_column)
                found = self._rows(f"select distinct {column}::text from {table} where {column} is not null")
                keys |= {key for (key,) in found if self._hash(plan, key) in hashes}
        return sorted(keys)

    def _listed_hashes(self) -> set[str]:
        """Raises ``SettingsError``: the list was written under another ``ERASURE_KEY``."""
        if self._value("select to_regclass(%s) is null", (f"{self.erasure}.suppressions",)):
            return set()
        listed = self._rows(f"select subject_hash, key_check from {self.erasure}.suppressions")
        Suppressions.check(self._settings.erasure_key, {check for _, check in listed})
        return {hashed for hashed, _ in listed}

    def _hash(self, plan: ErasurePlan, key: str) -> str:
        return subject_hash(self._settings.erasure_key, plan.subject, key)

    def erase(self, plan: ErasurePlan, key: str, *, dry_run: bool) -> ErasureCounts:
        """Erase the person, put them on the list and write the record; all at once.

        Raises:
            ErasureError: nobody has this key, or a statement was refused. Nothing was changed.
            SettingsError: the list was written under another ``ERASURE_KEY``.
        """
        self._listed_hashes()
        hashed = self._hash(plan, key)
        self._execute("begin isolation level read committed")
        try:
            self._execute(_RECORDS.read_text(encoding="utf-8").replace("{{ erasure }}", self.erasure))
            targets = self._locked(plan.targets)
            listed = bool(self._rows(f"select 1 from {self.erasure}.suppressions where subject_hash = %s", (hashed,)))
            if not listed and not any(self._has(target, key) for target in targets):
                raise ErasureError(f"There is no {plan.subject} {key} in the warehouse. Nothing was changed.")
            texts = self._note_texts(targets, key, hashed)
            rows = self._erase_exceptions(plan, targets, key)
            for target in targets:
                rows[f"{target.schema}.{target.name}"] = self._erase_rows(target, key)
            dropped = self._drop_copies(plan)
            rows = {place: count for place, count in rows.items() if count}
            columns = _raw_columns(plan)
            is_new = (
                bool(rows or dropped) or not listed or self._is_unfinished(hashed) or self._columns(plan) != columns
            )
            if is_new and not dry_run:
                self._record(plan, hashed, rows | dropped)
                values = f"insert into {self.erasure}.erased_values values %s on conflict do nothing"
                execute_values(self._session.cursor, values, [(hashed, text) for text in sorted(texts)])
            self._execute("rollback" if dry_run or not is_new else "commit")
        except psycopg2.Error as error:
            raise ErasureError(f"{_explain(error)} Nothing was changed.") from None
        return ErasureCounts(rows, dropped, is_new)

    def finish(self, plan: ErasurePlan, keys: Sequence[str], removed: dict[str, int]) -> None:
        """Rewrite the changed tables, so that no dead row keeps anything, and close the record.

        ``removed`` are the files that went, by folder.

        Raises:
            Unfinished: a table could not be rewritten; the next run does it.
        """
        touched = [f"{quote(t.schema)}.{quote(t.name)}" for t in plan.targets if t.columns or t.goes]
        for table in [*touched, f"{self.raw}._landing_exceptions", "pg_catalog.pg_statistic"]:
            if not self._value("select to_regclass(%s) is null", (table,)):
                self._rewrite(table)
        for hashed in [self._hash(plan, key) for key in keys]:
            self._log([(plan.subject, hashed, folder, count) for folder, count in removed.items() if count])
            self._execute(
                f"update {self.erasure}.log set finished_at = clock_timestamp()"
                " where subject_hash = %s and finished_at is null",
                (hashed,),
            )

    def _locked(self, targets: Iterable[PersonalTable]) -> list[PersonalTable]:
        """The targets found, with the columns they have, each locked against readers and writers.

        A dbt build that has read a table and not yet written what it made of it is waited for: parents come first.
        """
        found = []
        for target in targets:
            table = f"{quote(target.schema)}.{quote(target.name)}"
            kind = self._rows("select relkind from pg_class where oid = to_regclass(%s)", (table,))
            if kind not in ([("r",)], [("p",)]):
                if kind:
                    raise ErasureError(f"{target.schema}.{target.name} is no table that could be updated.")
                continue
            self._execute(f"lock table {table} in access exclusive mode")
            there = self._types(table)
            if target.subject_column not in there:
                raise ErasureError(f"{target.schema}.{target.name} has no column {target.subject_column}.")
            columns = {name: origins for name, origins in target.columns.items() if name in there}
            found.append(dataclasses.replace(target, columns=columns))
        return found

    def _types(self, table: str) -> dict[str, str]:
        return dict(
            self._rows(
                "select attname, format_type(atttypid, null) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
                (table,),
            )
        )

    def _has(self, target: PersonalTable, key: str) -> bool:
        return bool(self._value(f"select exists (select from {_theirs(target)})", (key,)))

    def _erase_rows(self, target: PersonalTable, key: str) -> int:
        if target.goes:
            return self._execute(f"delete from {_theirs(target)}", (key,))
        if not target.columns:
            return 0
        values = self._values(target)
        names = ", ".join(quote(name) for name in values)
        erased = ", ".join("null" if value is None else f"'{value}'" for value in values.values())
        table, condition = _theirs(target).split(" where ", 1)
        return self._execute(
            f"update {table} set ({names}) = row({erased}) where {condition}"
            f" and row({names}) is distinct from row({erased})",
            (key,),
        )

    def _values(self, target: PersonalTable) -> dict[str, str | None]:
        """The new value of each column: as the landing sends it from now on, and as dbt makes it of that."""
        if target.is_raw:
            landed = self._rows(
                f"select column_name, source_type, key_position from {self.raw}._landing_columns where table_name = %s",
                (target.name,),
            )
            keyed = [name for name, _, position in landed if position and name in target.columns]
            if keyed:
                raise ErasureError(
                    f"{target.name}.{keyed[0]} is part of the table's key: class it quasi, or it cannot go."
                )
            return {name: erased_value(kind) for name, kind, _ in landed if name in target.columns}
        types = self._types(f"{quote(target.schema)}.{quote(target.name)}")
        return {name: ERASED if types[name] in _TEXTS else None for name in target.columns}

    def _erase_exceptions(self, plan: ErasurePlan, targets: list[PersonalTable], key: str) -> dict[str, int]:
        """Originals that no type could hold. Those whose row is known by its hash alone all go; the next landing, which
        reads the table anew, brings those of others back."""
        count = 0
        for target in targets:
            if not target.is_raw or not target.columns:
                continue
            parts = self._rows(
                f"select column_name from {self.raw}._landing_columns where table_name = %s and key_position > 0"
                " order by key_position",
                (target.name,),
            )
            pairs = ", ".join(f"'{name}', {quote(name)}" for (name,) in parts)
            row_key = f"json_build_object({pairs})::text" if pairs else "null"
            count += self._execute(
                f"delete from {self.raw}._landing_exceptions where table_name = %s and column_name = any(%s)"
                f" and (row_key like '{{\"row_md5\"%%' or row_key in (select {row_key} from {_theirs(target)}))",
                (target.name, list(target.columns), key),
            )
        return {f"{self._settings.raw_schema}._landing_exceptions": count}

    def _note_texts(self, targets: list[PersonalTable], key: str, hashed: str) -> set[str]:
        """Remember the person's texts, to look for them elsewhere. Returns the hashes of those that are there now."""
        hashes = set()
        for target in targets:
            types = self._types(f"{quote(target.schema)}.{quote(target.name)}")
            table, condition = _theirs(target).split(" where ", 1)
            for name in (quote(name) for name in target.columns if types[name] in _TEXTS):
                found = self._rows(
                    f"select {name}::text from {table} where {name} in (select {name} from {table} where {condition})"
                    f" group by 1 having count(distinct {quote(target.subject_column)}) <= {_PEOPLE_OF_A_VALUE}",
                    (key,),
                )
                texts = {text.strip().lower() for (text,) in found}
                texts = {text for text in texts if len(text) >= _SHORTEST and text != ERASED}
                self._texts |= texts
                hashes |= {self._text_hash(text) for text in texts}
        earlier = self._rows(f"select value_hash from {self.erasure}.erased_values where subject_hash = %s", (hashed,))
        self._text_hashes |= hashes | {text for (text,) in earlier}
        return hashes

    def _text_hash(self, text: str) -> str:
        return hmac.new(self._settings.erasure_key.encode(), f"text:{text}".encode(), hashlib.sha256).hexdigest()

    def _drop_copies(self, plan: ErasurePlan) -> dict[str, int]:
        """Leftovers of a killed landing, schemas of reviews, stored rows of tests. Their makers make them anew."""
        copies = self._rows(
            "select nspname, (select count(*) from pg_class where relnamespace = n.oid and relkind in ('r', 'p'))"
            " from pg_namespace n where nspname = %s or obj_description(oid, 'pg_namespace') like %s order by 1",
            (self._settings.arrival_schema, f"{REVIEWS}:%"),
        )
        for name, _ in copies:
            self._execute(f"drop schema {quote(name)} cascade")
        dropped = {name: count for name, count in copies if count}
        tables = self._rows(
            "select nspname, relname from pg_class join pg_namespace n on n.oid = relnamespace where relkind = 'r'"
        )
        for schema, name in plan.failures.intersection(tables):
            self._execute(f"drop table {quote(schema)}.{quote(name)}")
            dropped[schema] = dropped.get(schema, 0) + 1
        return dropped

    def _columns(self, plan: ErasurePlan) -> set[tuple[Any, ...]]:
        return set(
            self._rows(
                f"select table_name, subject_column, column_name from {self.erasure}.erased_columns where subject = %s",
                (plan.subject,),
            )
        )

    def _is_unfinished(self, hashed: str) -> bool:
        return bool(
            self._value(
                f"select exists (select from {self.erasure}.log where subject_hash = %s and finished_at is null)",
                (hashed,),
            )
        )

    def _record(self, plan: ErasurePlan, hashed: str, rows: dict[str, int]) -> None:
        self._execute(
            f"insert into {self.erasure}.suppressions values (%s, %s, %s) on conflict do nothing",
            (plan.subject, hashed, key_check(self._settings.erasure_key)),
        )
        self._execute(f"delete from {self.erasure}.erased_columns where subject = %s", (plan.subject,))
        columns = _raw_columns(plan)
        rows_of_columns = [(plan.subject, *column) for column in sorted(columns)]
        execute_values(self._session.cursor, f"insert into {self.erasure}.erased_columns values %s", rows_of_columns)
        # the owner of the raw schema lands, and has to know
        owner = self._value(
            "select quote_ident(pg_get_userbyid(nspowner)) from pg_namespace where nspname = %s",
            (self._settings.raw_schema,),
        )
        self._execute(f"grant usage on schema {self.erasure} to {owner}")
        self._execute(f"grant select on {self.erasure}.suppressions, {self.erasure}.erased_columns to {owner}")
        # digests of files that held the person: the next landing reads and compares these tables as a whole
        tables = sorted({table for table, _, _ in columns})
        self._execute(f"delete from {self.raw}._landing_state where table_name = any(%s)", (tables,))
        places = list(rows.items()) or [("nothing left in any table", 0)]
        self._log([(plan.subject, hashed, place, count) for place, count in places])

    def _log(self, lines: list[tuple[str, str, str, int]]) -> None:
        for line in lines:
            self._execute(
                f"insert into {self.erasure}.log values (%s, %s, %s, %s, session_user, clock_timestamp(), null)", line
            )

    def elsewhere(self, plan: ErasurePlan) -> dict[str, str]:
        """Tables that are no source or model of this project and may hold a person of this run, each with the reason.

        1. A column has the name of a personal one.
        2. A text equals one that was erased, now or by an earlier run, or has one that was erased now within it.
        """
        found = {f"{schema}.{name}": "has columns of such names" for schema, name in self._with_such_names(plan)}
        columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in self._rows(
            """
            select n.nspname, c.relname, a.attname from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            join pg_type t on t.oid = a.atttypid
            where c.relkind in ('r', 'm') and c.relispopulated and n.nspname !~ '^pg_'
                and n.nspname not in ('information_schema', %s) and has_schema_privilege(n.oid, 'usage')
                and has_table_privilege(c.oid, 'select')
                and (t.typcategory in ('S', 'A') or t.typname in ('json', 'jsonb', 'xml', 'hstore'))
                and not (n.nspname = %s and c.relname ~ '^_landing_')
            order by 1, 2, a.attnum
            """,
            (self._settings.erasure_schema, self._settings.raw_schema),
        ):
            columns.setdefault((schema, table), []).append(column)
        for (schema, table), names in columns.items():
            if (schema, table) not in plan.known and self._has_text(f"{quote(schema)}.{quote(table)}", names):
                found[f"{schema}.{table}"] = "has texts of this person"
        return dict(sorted(found.items()))

    def _has_text(self, table: str, columns: Sequence[str]) -> bool:
        cells = ", ".join(f"(t.{quote(name)}::text)" for name in columns)
        parts = [text for text in self._texts if len(text) >= _SHORTEST_PART]
        with self._session.connection.cursor("cells", withhold=True) as cursor:
            cursor.itersize = 10_000
            cursor.execute(f"select distinct cell from {table} t cross join lateral (values {cells}) cells (cell)")
            for (cell,) in cursor:
                text = (cell or "").strip().lower()
                if self._text_hash(text) in self._text_hashes or any(part in text for part in parts):
                    return True
        return False

    def _with_such_names(self, plan: ErasurePlan) -> list[tuple[str, str]]:
        found = self._rows(
            """
            select n.nspname, c.relname from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
                and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = any(%s))
                and (n.nspname = %s or not exists (  -- tables of another source, which has people of its own
                    select from pg_class r where r.relnamespace = n.oid and r.relname = '_landing_runs'
                ))
            order by 1, 2
            """,
            (sorted(plan.names), self._settings.raw_schema),
        )
        return [(schema, name) for schema, name in found if (schema, name) not in plan.known]

    def _rewrite(self, table: str) -> None:
        """A plain vacuum frees the space of dead rows and leaves their bytes in it."""
        self._session.connection.notices.clear()
        try:
            self._execute(f"vacuum (full, analyze) {table}")
        except (psycopg2.Error, WarehouseUnavailable) as error:
            raise Unfinished(_unwritten(table, getattr(error, "pgcode", None) or str(error))) from None
        if any("skipping" in notice for notice in self._session.connection.notices):
            raise Unfinished(_unwritten(table, "the right to vacuum it is missing"))


def _theirs(target: PersonalTable) -> str:
    return f"{quote(target.schema)}.{quote(target.name)} where {quote(target.subject_column)}::text = %s"


def _raw_columns(plan: ErasurePlan) -> set[tuple[Any, ...]]:
    """Raw table, its column with the person's key, and an erased column."""
    return {
        (target.name, target.subject_column, name)
        for target in plan.targets
        if target.is_raw
        for name in target.columns
    }


def _unwritten(table: str, reason: str) -> str:
    return (
        f"The person is erased, but dead rows of {table.replace(chr(34), '')} may still be in its file: it could not be"
        f" rewritten ({reason}). Run again."
    )


def _explain(error: psycopg2.Error) -> str:
    """The table that refused, without the values in the server's message."""
    diag = error.diag
    where = ".".join(part for part in (diag.schema_name, diag.table_name, diag.column_name) if part)
    if error.pgcode == "42501":
        what = re.sub(r"[^\w .]", "", diag.message_primary or "")
        return f"A right is missing: {what}. Erasing takes the owner of the tables, or a superuser."
    return f"A statement was refused (SQLSTATE {error.pgcode}{', ' + where if where else ''})."
