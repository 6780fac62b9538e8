"""Amazon Redshift as the warehouse: rows from S3 are checked, then published in one transaction.

Differences from Postgres:

1. There are no row addresses. Changes are found by ``_row_md5`` of each raw row, a hash of the values MySQL sent.
2. There are no advisory locks. A second connection holds a lock on a table.
3. A column cannot change its type within a transaction. Its table is rebuilt.

No password or key is in any statement.
"""

import re
from typing import Any

import psycopg2
import psycopg2.errorcodes

from landing.columns import EXCEPTIONS, ColumnPlan, LineFormat, RowSum, SentText, TablePlan, WarehouseType
from landing.drift import DriftVerdict
from landing.names import quote
from landing.parts import NewerRows, Part
from landing.records import ChangeCounts, LandingRun, Records, RecordTypes
from landing.settings import Settings
from landing.steps import reached
from landing.warehouse import queries
from landing.warehouse.queries import published
from landing.warehouse.session import (
    AnotherLanding,
    Session,
    WarehouseUnavailable,
    connect,
    explain,
    is_of_the_server,
    where,
)

ROW_MD5 = "_row_md5"
_RECORD_TYPES = RecordTypes(
    *("varchar(65535)", "varchar(65535)", "numeric(38,0)"), most_digests=1_900, keeps_suppressions=False
)
"""A digest is 32 characters and a comma, and a text holds 65,535 bytes."""
_LONGEST = 65_534  # bytes of a text, less the mark before it
_BARE = 80  # bytes of a value sent without quotes: numbers, times, hashes
_LONGEST_NUMBER = 50
_OF_THE_SERVER = re.compile(r"^1023\b|serializable isolation|\bS3|\bIAM\b|disk full", re.IGNORECASE)
"""Messages of SQLSTATE XX000 that blame no value."""
_NUMBERS = re.compile(r"smallint|integer|bigint|numeric|double")


class Redshift:
    """See ``protocol.Warehouse``."""

    line_format = LineFormat("md5 of values", marked_texts=True, encoded_texts=False)
    """A hash of hashes: Redshift's CRC32 has another polynomial than MySQL's, and a text has at most 65,535 bytes."""
    publishes_blocks = False

    def __init__(self, settings: Settings):
        """Connect and take the lock. Raises as ``Postgres``."""
        self.session = Session(settings, is_of_redshift)
        self.records = Records(self.session, _RECORD_TYPES)
        self._settings = settings
        self._execute, self._rows, self._value = self.session.execute, self.session.rows, self.session.value
        self._raw, self._arrivals, self._schema = self.session.raw_table, self.session.arrival_table, self.session.raw
        self._execute("set timezone to 'UTC'")
        self._take_lock()
        reached("locked")

    def _take_lock(self) -> None:
        """Take the lock in a transaction of its own connection. The connection ends with this process."""
        self._lock = connect(self._settings)
        try:
            with self._lock.cursor() as cursor:
                cursor.execute(f"create schema if not exists {self._schema}")
                cursor.execute(f"create table if not exists {self._schema}._landing_lock (holder integer)")
                cursor.execute(f"set statement_timeout to {max(1, self._settings.lock_wait) * 1000}")
                cursor.execute("begin")
                cursor.execute(f"lock table {self._schema}._landing_lock")
        except psycopg2.Error as error:
            if error.pgcode == psycopg2.errorcodes.QUERY_CANCELED:
                raise AnotherLanding(
                    f"Another landing into {self._settings.raw_schema} is running. Nothing was done; run again when"
                    " it ended."
                ) from None
            raise WarehouseUnavailable(explain(error, self._settings)) from None

    def close(self) -> None:
        self.session.close()
        self._lock.close()

    def check(self) -> None:
        """Redshift ends idle connections. So this one and the lock's are both asked something."""
        try:
            _ask(self.session.connection)
        except psycopg2.Error as error:
            raise WarehouseUnavailable(explain(error, self._settings)) from None
        self._check_lock()

    def _check_lock(self) -> None:
        try:
            _ask(self._lock)
        except psycopg2.Error:
            raise WarehouseUnavailable(
                f"{where(self._settings)}: the lock was lost, as the server ended the connection that held it (see"
                " SESSION TIMEOUT in infra/DEPLOY.md). Nothing was published; run again."
            ) from None

    def begin(self) -> None:
        self._check_lock()
        self._execute("begin")

    def commit(self) -> None:
        self._check_lock()
        self.session.commit()

    def why(self, table: TablePlan, error: psycopg2.Error) -> str:
        if error.pgcode != psycopg2.errorcodes.DEPENDENT_OBJECTS_STILL_EXIST:
            return reason(error)
        views = self._rows(
            "select distinct s.nspname, v.relname from pg_class t join pg_namespace n on n.oid = t.relnamespace"
            " join pg_depend d on d.refobjid = t.oid join pg_rewrite w on w.oid = d.objid"
            " join pg_class v on v.oid = w.ev_class join pg_namespace s on s.oid = v.relnamespace"
            " where n.nspname = %s and t.relname = %s and v.oid <> t.oid order by 1, 2",
            (self._settings.raw_schema, table.name),
        )
        names = ", ".join(f"{schema}.{view}" for schema, view in views)
        return f"it has to be made anew, and views hold it: {names}. Drop them, or make them with no schema binding"

    # what is there

    def prepare(self) -> None:
        self.records.create()
        queries.drop_arrivals(self.session)
        self._execute(f"create schema {self.session.arrivals}")

    def relations(self) -> set[str]:
        return {table for table, _ in self.present_columns()}

    def present_columns(self) -> dict[tuple[str, str], str]:
        """The catalog is not joined with tables, because only the leader node has it."""
        names = "select table_name, column_name from information_schema.columns where table_schema = %s"
        return dict.fromkeys(self._rows(names, (self._settings.raw_schema,)), "")

    # rows that arrive

    def type_of(self, sent: SentText) -> WarehouseType:
        """Everything arrives as text and is cast at publication.

        COPY cannot tell an empty text from NULL, so texts travel after a ``t``. Lengths are in bytes, as declared in
        the source. COPY refuses a longer value, and its table fails.
        """
        if sent.type == "text":
            width = min(sent.longest or _LONGEST, _LONGEST) if sent.quoted else _BARE
            published = "substring({} from 2)" if sent.quoted else "{}"
            raw_type, arrives_as = f"character varying({width})", f"character varying({width + 1})"
            return WarehouseType(raw_type, arrives_as, published=published)
        if sent.type == "bytea":
            width = min(sent.longest or _LONGEST, _LONGEST // 2 - 1)
            arrives_as = f"character varying({2 * width + 2})"
            return WarehouseType(f"varbyte({width})", arrives_as, published="from_hex(substring({} from 3))")
        precision, raw_type = re.match(r"numeric\((\d+)", sent.type), sent.type
        if precision and int(precision[1]) > 38:  # the most digits that Redshift holds
            raw_type = f"character varying({_BARE})"
        elif precision and precision[1] == "19":  # held in eight bytes there: no more than 2^63 - 1
            raw_type = raw_type.replace("19", "20", 1)
        return WarehouseType(raw_type, arrives_as=f"character varying({_BARE})")

    def create_arrivals(self, table: TablePlan, verdict: DriftVerdict) -> None:
        columns = [f"{column.quoted} {column.type.arrival_type}" for column in table.columns]
        columns += [f"{quote(EXCEPTIONS)} varchar(65535)"] if table.keeps_exceptions else []
        self._execute(f"drop table if exists {self._arrivals(table)}")
        self._execute(f"create table {self._arrivals(table)} ({', '.join(columns)}) diststyle even")

    def arrived(self, table: TablePlan) -> RowSum:
        parts = [self._values(table, "")]
        parts += [f"md5(coalesce({quote(EXCEPTIONS)}, ''))"] if table.keeps_exceptions else []
        return queries.arrived(self.session, table, f"strtol(left(md5({' || '.join(parts)}), 8), 16)")

    def _digest(self, table: TablePlan, alias: str) -> str:
        """MD5 of an arrived row."""
        return f"md5({self._values(table, f'{alias}.')})"

    def _values(self, table: TablePlan, prefix: str) -> str:
        """The MD5s of an arrived row's values. NULL adds nothing, so a new column without values changes no row."""
        values = [f"coalesce('{column.mark}' || md5({prefix}{column.quoted}), '')" for column in table.columns]
        return " || ".join(values)

    # publication

    def publish(self, table: TablePlan, verdict: DriftVerdict, run: LandingRun, part: Part, rows: int) -> ChangeCounts:
        self._write_exceptions(table, run, part)
        if verdict.adopts:
            grants = self._grants(table)
            self._execute(f"drop table if exists {self._raw(table)}")
            self._create_raw(table, self._raw(table))
            self._grant(table, grants)
            return ChangeCounts(self._insert(table, run, ""), 0, 0)
        if verdict.added or verdict.widened:
            self._rebuild(table, verdict)
        if table.key and not queries.has_empty_key(self.session, table):
            return self._apply_by_key(table, run, part)
        return self._apply_by_row(table, run)

    def _create_raw(self, table: TablePlan, name: str) -> None:
        """Rows of one key lie together, as in the facts. In each slice, the rows changed last lie together.

        Redshift cannot distribute by bytes. The table is distributed by the first other column of the key, else evenly.
        """
        columns = [f"{column.quoted} {column.type.raw_type}" for column in table.columns]
        columns += ["_loaded_at timestamp with time zone not null", f"{ROW_MD5} varchar(32) not null"]
        spread_by = [column.quoted for column in table.key if not column.type.raw_type.startswith("varbyte")]
        style = f"diststyle key distkey ({spread_by[0]})" if spread_by else "diststyle even"
        self._execute(f"create table {name} ({', '.join(columns)}) {style} sortkey (_loaded_at)")

    def _rebuild(self, table: TablePlan, verdict: DriftVerdict) -> None:
        """Replace the raw table by one with the same rows and grants, and with columns added and widened."""
        raw, copy, grants = self._raw(table), f"{self._schema}._landing_copy", self._grants(table)
        kept = [column.quoted for column in table.columns if column.name not in verdict.added]
        names = ", ".join([*kept, "_loaded_at", ROW_MD5])
        self._create_raw(table, copy)
        self._execute(f"insert into {copy} ({names}) select {names} from {raw}")
        self._execute(f"drop table {raw}")
        self._execute(f"alter table {copy} rename to {quote(table.name)}")
        self._grant(table, grants)

    def _grants(self, table: TablePlan) -> list[tuple[Any, ...]]:
        """Grants on the raw table. Only a user with SYSLOG ACCESS UNRESTRICTED sees all of them."""
        return self._rows(
            "select distinct identity_type, identity_name, privilege_type from svv_relation_privileges"
            " where namespace_name = %s and relation_name = %s and identity_name <> current_user",
            (self._settings.raw_schema, table.name),
        )

    def _grant(self, table: TablePlan, grants: list[tuple[Any, ...]]) -> None:
        for kind, name, privilege in grants:
            grantee = {"public": "public", "user": quote(name)}.get(kind, f"{kind} {quote(name)}")
            self._execute(f"grant {privilege} on {self._raw(table)} to {grantee}")

    def _insert(self, table: TablePlan, run: LandingRun, condition: str, source: str = "") -> int:
        """Insert arrived rows, or those of ``source``, into the raw table. Their alias is ``s``."""
        names = ", ".join(column.quoted for column in table.columns)
        values = ", ".join(published(column, "s") for column in table.columns)
        return self._execute(
            f"insert into {self._raw(table)} ({names}, _loaded_at, {ROW_MD5})"
            f" select {values}, %s, {self._digest(table, 's')} from {source or self._arrivals(table)} s {condition}",
            (run.loaded_at,),
        )

    def _apply_by_key(self, table: TablePlan, run: LandingRun, part: Part) -> ChangeCounts:
        raw, arrivals = self._raw(table), self._arrivals(table)
        keys = ", ".join(f"{published(column, 's')} as {column.quoted}" for column in table.key)
        same = " and ".join(_equal(column, f"r.{column.quoted}", f"k.{column.quoted}") for column in table.key)
        first = table.key[0].quoted
        gone = (
            ""
            if isinstance(part, NewerRows)
            else f" union all select {', '.join(f'r.{column.quoted}' for column in table.key)}, 'deleted' from {raw} r"
            f" left join (select {keys} from {arrivals} s) k on {same} where k.{first} is null"
        )
        self._execute(
            f"create temporary table _landing_changes as select distinct"
            f" {', '.join(f'k.{column.quoted}' for column in table.key)},"
            f" case when r.{first} is null then 'inserted' else 'updated' end as _change"
            f" from (select {keys}, {self._digest(table, 's')} as {ROW_MD5} from {arrivals} s) k"
            f" left join {raw} r on {same} where r.{first} is null or r.{ROW_MD5} <> k.{ROW_MD5}{gone}"
        )
        key = self._row_key(table, "r", arrived=False)
        self._execute(
            f"insert into {self._schema}._landing_deletions select %s, {key}, %s, %s"
            f" from {raw} r join _landing_changes k on {same} where k._change = 'deleted'",
            (table.name, run.loaded_at, run.id),
        )
        in_raw = " and ".join(
            _equal(column, f"{raw}.{column.quoted}", f"_landing_changes.{column.quoted}") for column in table.key
        )
        self._execute(f"delete from {raw} using _landing_changes where {in_raw}")
        arrived_key = " and ".join(_equal(column, published(column, "s"), f"k.{column.quoted}") for column in table.key)
        self._insert(table, run, f"join _landing_changes k on {arrived_key} and k._change <> 'deleted'")
        counts = dict(self._rows("select _change, count(*) from _landing_changes group by 1"))
        self._execute("drop table _landing_changes")
        inserted, updated, deleted = (int(counts.get(change, 0)) for change in ("inserted", "updated", "deleted"))
        return ChangeCounts(inserted, updated, deleted)

    def _apply_by_row(self, table: TablePlan, run: LandingRun) -> ChangeCounts:
        """Publish a table without a key.

        1. As many equal rows stay as MySQL has. The oldest are kept.
        2. If a row was deleted, the raw table is written anew.
        """
        raw, arrivals, digest = (
            self._raw(table),
            self._arrivals(table),
            self._digest(table, "s"),
        )
        self._execute(
            f"create temporary table _landing_counts as"
            f" select {ROW_MD5}, sum(arrived) as arrived, sum(present) as present"
            f" from (select {digest} as {ROW_MD5}, 1 as arrived, 0 as present from {arrivals} s"
            f" union all select {ROW_MD5}, 0, 1 from {raw}) both_sides group by 1"
        )
        self._execute(
            f"create temporary table _landing_rows as select r.*,"
            f" row_number() over (partition by r.{ROW_MD5} order by r._loaded_at) as _copy from {raw} r"
        )
        counted = f"join _landing_counts c on c.{ROW_MD5} = r.{ROW_MD5} and r._copy"
        key = self._row_key(table, "r", arrived=False)
        deleted = self._execute(
            f"insert into {self._schema}._landing_deletions select %s, {key}, %s, %s"
            f" from _landing_rows r {counted} > c.arrived",
            (table.name, run.loaded_at, run.id),
        )
        if deleted:
            names = [*(column.quoted for column in table.columns), "_loaded_at", ROW_MD5]
            kept = ", ".join(f"r.{name}" for name in names)
            self._execute(f"delete from {raw}")
            self._execute(
                f"insert into {raw} ({', '.join(names)}) select {kept} from _landing_rows r {counted} <= c.arrived"
            )
        numbered = f"(select s.*, row_number() over (partition by {digest}) as _copy from {arrivals} s)"
        more = f"join _landing_counts c on c.{ROW_MD5} = {digest} and s._copy > c.present"
        inserted = self._insert(table, run, more, numbered)
        self._execute("drop table _landing_counts")
        self._execute("drop table _landing_rows")
        return ChangeCounts(inserted, 0, deleted)

    def _row_key(self, table: TablePlan, alias: str, *, arrived: bool) -> str:
        """The row's key as a JSON object. Without a key, or if the key did not fit: the MD5 of the row."""
        md5 = self._digest(table, alias) if arrived else f"{alias}.{ROW_MD5}"
        whole = f"""'{{"row_md5" : "' || {md5} || '"}}'"""
        if not table.key:
            return whole
        values = {column: published(column, alias) if arrived else f"{alias}.{column.quoted}" for column in table.key}
        pairs = [f"""'"{column.name}" : ' || {_json(column, value)}""" for column, value in values.items()]
        key = "'{' || " + " || ', ' || ".join(pairs) + " || '}'"
        empty = [f"{value} is null" for column, value in values.items() if column.may_be_unfit]
        return f"case when {' or '.join(empty)} then {whole} else {key} end" if empty else key

    def _write_exceptions(self, table: TablePlan, run: LandingRun, part: Part) -> None:
        arrivals, key = self._arrivals(table), self._row_key(table, "s", arrived=True)
        those = f" and row_key in (select {key} from {arrivals} s)" if isinstance(part, NewerRows) else ""
        self._execute(f"delete from {self._schema}._landing_exceptions where table_name = %s{those}", (table.name,))
        if not table.keeps_exceptions or not queries.arrived_exceptions(self.session, table):
            return
        for number, column in enumerate(table.columns):
            if not column.may_be_unfit:
                continue
            word = f"regexp_substr(s.{quote(EXCEPTIONS)}, '(^| ){number}:[0-9A-F]*')"
            in_hex = f"split_part({word}, ':', 2)"
            hexed = column.sent.original_is_hex
            original = f"lower({in_hex})" if hexed else f"from_varbyte(from_hex({in_hex}), 'utf8')"
            self._execute(
                f"insert into {self._schema}._landing_exceptions select %s, %s, {key}, {original}, %s, %s, %s"
                f" from {arrivals} s where {word} <> ''",
                (table.name, column.name, "hex" if hexed else "text", column.sent.unfit_reason, run.loaded_at),
            )


def _ask(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")


def is_of_redshift(error: psycopg2.Error) -> bool:
    """As ``is_of_the_server``. But on Redshift a wrong value is an internal error (XX000), too."""
    if error.pgcode == psycopg2.errorcodes.INTERNAL_ERROR:
        return bool(_OF_THE_SERVER.search(error.diag.message_primary or ""))
    return is_of_the_server(error)


def reason(error: psycopg2.Error) -> str:
    """Redshift's message, without the value it may quote."""
    message = re.sub(r"""['"].*['"]""", "'...'", error.diag.message_primary or "", flags=re.DOTALL)
    return f"{message}, SQLSTATE {error.pgcode}" if message else f"SQLSTATE {error.pgcode}"


def _equal(column: ColumnPlan, left: str, right: str) -> str:
    """Whether two keys are the same. Redshift ignores blanks at the end of texts; MySQL's keys may differ in them."""
    mark = " || '.'" if column.type.raw_type.startswith("character") else ""
    return f"{left}{mark} = {right}{mark}"


def _json(column: ColumnPlan, value: str) -> str:
    """A key's value in JSON."""
    if _NUMBERS.match(column.type.raw_type):
        return f"cast({value} as varchar({_LONGEST_NUMBER}))"
    if column.type.raw_type.startswith("varbyte"):
        return f"""'"' || from_varbyte({value}, 'hex') || '"'"""
    text = value if column.type.raw_type.startswith("character") else f"cast({value} as varchar({_LONGEST_NUMBER}))"
    for code, escape in ((92, "chr(92)"), (34, "chr(34)"), (10, "'n'"), (13, "'r'"), (9, "'t'")):
        text = f"replace({text}, chr({code}), chr(92) || {escape})"
    return f"""'"' || {text} || '"'"""
