"""Amazon Redshift as the warehouse: files go to S3, COPY loads them by IAM role, one transaction publishes.

What is other than on Postgres: there are no row addresses, so every raw row has ``_row_md5``, of what MySQL sent for
it, by which changes are found. There are no advisory locks, so a second connection holds a lock on a table. A column
cannot change its type within a transaction, so its table is rebuilt. No password or key is in any statement.
"""

import contextlib
import hashlib
import re
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg2
import psycopg2.errorcodes

from ingestion.blocks import Blocks
from ingestion.connection import AnotherLanding, WarehouseUnavailable, connect, explain, is_of_the_server, where
from ingestion.drift import KnownColumn, Verdict
from ingestion.names import quote
from ingestion.plan import EXCEPTIONS, Column, Table
from ingestion.records import RECORDS, Change, Run, State
from ingestion.settings import Settings
from ingestion.stage import Answer, Chunk, StageUnavailable
from ingestion.suppression import Suppressions
from ingestion.warehouse import MYSQL_MD5, Warehouse

ROW_MD5 = "_row_md5"
_MOST_DIGESTS = 1_900
"""Of 32 characters each and a comma: what a text holds. A table of more files is compared row by row each time."""
_LONGEST_NUMBER = 50
_OF_THE_SERVER = re.compile(r"^1023\b|serializable isolation|\bS3|\bIAM\b|disk full", re.IGNORECASE)
"""Messages of XX000 that blame no value."""
_NUMBERS = re.compile(r"smallint|integer|bigint|numeric|double")


class S3Stage:
    """Puts files into the staging bucket, has Redshift copy them, and removes them."""

    def __init__(self, settings: Settings):
        """Removes what landings that were killed left in the bucket.

        Raises:
            StageUnavailable: the bucket cannot be read.
        """
        import boto3  # half a second of imports

        assert settings.staging
        self._settings, self._staging = settings, settings.staging
        self._folder = f"{self._staging.prefix}{settings.staging_schema}/"
        self._s3: Any = boto3.client("s3", region_name=self._staging.region or None)
        with self._errors():
            self._remove()

    def copy(self, chunks: Sequence[Chunk]) -> Answer:
        """Load the files and remove them.

        Raises:
            StageUnavailable: the bucket, or Redshift, cannot be used.
        """
        load_id, failed = uuid.uuid4().hex, {}
        with self._errors(), contextlib.closing(connect(self._settings)) as connection:
            try:
                for number, (table, path, _) in enumerate(chunks):
                    key = f"{self._folder}{load_id}/{table.staged_name}/{number}.csv"
                    self._s3.upload_file(str(path), self._staging.bucket, key)
                    path.unlink()
                for table in dict.fromkeys(table for table, _, _ in chunks):
                    if reason := self._copy(connection, table, load_id):
                        failed[table.staged_name] = reason
            finally:
                self._remove()
        return load_id, failed

    def close(self) -> None:
        self._s3.close()

    def _copy(self, connection: Any, table: Table, load_id: str) -> str:
        """COPY one table's files; returns why Redshift refused them."""
        files = f"s3://{self._staging.bucket}/{self._folder}{load_id}/{table.staged_name}/"
        region = f" region '{self._staging.region}'" if self._staging.region else ""
        with connection.cursor() as cursor:
            try:
                cursor.execute(
                    f"copy {quote(self._settings.staging_schema)}.{quote(table.staged_name)}"
                    f" ({', '.join(map(quote, table.staged_names))}) from '{files}'"
                    f" iam_role '{self._staging.copy_role}'{region} format as csv ignoreheader 1 emptyasnull"
                    " compupdate off statupdate off"
                )
            except psycopg2.Error as error:
                if "load_error" not in str(error):  # Redshift names the view where its reason is
                    if _is_of_redshift(error):
                        raise
                    return f"the warehouse refused it ({_reason(error)})"
                cursor.execute(
                    "select trim(error_message), trim(column_name) from sys_load_error_detail where file_name like %s"
                    " order by start_time desc limit 1",
                    (f"{files}%",),
                )
                found = cursor.fetchone() or ("the reason is in sys_load_error_detail", "")
                return f"the warehouse refused it: {found[0]}" + (f" (column {found[1]})" if found[1] else "")
        return ""

    def _remove(self) -> None:
        """Take this schema's files out of the bucket."""
        from botocore.exceptions import ClientError

        bucket = self._staging.bucket
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=self._folder):
            # a page has a thousand files, as many as one request takes
            keys = [{"Key": file["Key"]} for file in page.get("Contents", [])]
            removed = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}) if keys else {}
            if errors := removed.get("Errors"):
                raise ClientError({"Error": errors[0]}, "DeleteObjects")

    @contextlib.contextmanager
    def _errors(self) -> Any:
        """Inside, what goes wrong is told without a value of a row."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            known = re.search(r"\((\w+)\) when calling the (\w+)", str(error))
            reason = f"{known[1]} on {known[2]}" if known else type(error).__name__
            raise StageUnavailable(
                f"S3 bucket {self._staging.bucket}: {reason}. Check REDSHIFT_STAGING_URL and what this machine's role"
                " may do there. Nothing was published; run again."
            ) from None
        except psycopg2.Error as error:
            raise StageUnavailable(explain(error, self._settings)) from None


class Redshift(Warehouse):
    """The same steps as on Postgres, in what Redshift has."""

    publishes_blocks = False
    _checksum = "strtol(left(md5({}), 8), 16)"  # crc32 is another polynomial than MySQL's

    def mysql_checksum(self, table: Table) -> str:
        """As ``_line``: of an MD5 for each value, since no text of Redshift's is longer than 65,535 bytes."""
        parts = []
        for mark, column in _marked(table):
            empty = f"{column.in_mysql} IS NULL" + (f" OR {column.unfit}" if column.unfit else "")
            value = column.policy.sent.replace("{}", column.in_mysql)
            parts.append(f"IF({empty}, '', CONCAT('{mark}', MD5({value})))")
        parts += [f"MD5({table.exceptions})"] if table.keeps_exceptions else []
        return MYSQL_MD5.replace("{}", f"CONCAT({', '.join(parts)})")

    def close(self) -> None:
        super().close()
        self._lock.close()

    def _is_of_the_server(self, error: psycopg2.Error) -> bool:
        return _is_of_redshift(error)

    def why(self, table: Table, error: psycopg2.Error) -> str:
        if error.pgcode != psycopg2.errorcodes.DEPENDENT_OBJECTS_STILL_EXIST:
            return _reason(error)
        views = self._rows(
            "select distinct s.nspname, v.relname from pg_class t join pg_namespace n on n.oid = t.relnamespace"
            " join pg_depend d on d.refobjid = t.oid join pg_rewrite w on w.oid = d.objid"
            " join pg_class v on v.oid = w.ev_class join pg_namespace s on s.oid = v.relnamespace"
            " where n.nspname = %s and t.relname = %s and v.oid <> t.oid order by 1, 2",
            (self._settings.raw_schema, table.name),
        )
        names = ", ".join(f"{schema}.{view}" for schema, view in views)
        return f"it has to be made anew, and views hold it: {names}. Drop them, or make them with no schema binding"

    def _set_up_session(self) -> None:
        self._execute("set timezone to 'UTC'")

    def _take_lock(self) -> None:
        """Held by a transaction of a connection of its own, which ends with this process."""
        self._lock = connect(self._settings)
        try:
            with self._lock.cursor() as cursor:
                cursor.execute(f"create schema if not exists {self.raw}")
                cursor.execute(f"create table if not exists {self.raw}._landing_lock (holder integer)")
                cursor.execute(f"set statement_timeout to {max(1, self._settings.lock_wait) * 1000}")
                cursor.execute("begin")
                cursor.execute(f"lock table {self.raw}._landing_lock")
        except psycopg2.Error as error:
            if error.pgcode == psycopg2.errorcodes.QUERY_CANCELED:
                raise AnotherLanding(
                    f"Another landing into {self._settings.raw_schema} is running. Nothing was done; run again when"
                    " it ended."
                ) from None
            raise WarehouseUnavailable(explain(error, self._settings)) from None

    def check(self) -> None:
        """Redshift ends connections that idle, this one and that of the lock: so both are asked something.

        Raises:
            WarehouseUnavailable: one of them was ended.
        """
        try:
            _ask(self._connection)
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

    # records

    def prepare(self) -> None:
        for statement in RECORDS.replace("{raw}", self.raw).split(";\n"):
            if statement.strip():
                sized = re.sub(r" text\b(\[\])?", " varchar(65535)", statement)
                self._execute(re.sub(r" numeric\b", " numeric(38,0)", sized))
        self._execute(f"drop schema if exists {self.staging} cascade")
        self._execute(f"create schema {self.staging}")

    def relations(self) -> set[str]:
        return {table for table, _ in self._columns()}

    def _columns(self) -> set[tuple[str, str]]:
        """Tables of the raw schema with their columns. Not joined with tables: it is the leader node's alone."""
        return set(
            self._rows(
                "select table_name, column_name from information_schema.columns where table_schema = %s",
                (self._settings.raw_schema,),
            )
        )

    def known_columns(self) -> dict[str, list[KnownColumn]]:
        """By warehouse table: its columns as of the last landing that published it, if they still are there."""
        known: dict[str, list[KnownColumn]] = {}
        present = self._columns()
        for table, *column in self._rows(
            "select table_name, source_table, source_column, source_type, column_name, raw_type, key_position"
            f" from {self.raw}._landing_columns order by 1"
        ):
            found = KnownColumn(*column)
            if (table, found.name) in present:
                known.setdefault(table, []).append(found)
        return known

    def states(self) -> dict[str, State]:
        return {
            table: State(rows, digests.split(","), compared_at)
            for table, rows, digests, compared_at in self._rows(
                f"select table_name, row_count, digests, compared_at from {self.raw}._landing_state"
            )
        }

    def record_state(self, table: Table, state: State) -> None:
        digests = ",".join(state.digests if len(state.digests) <= _MOST_DIGESTS else [])
        self._execute(f"delete from {self.raw}._landing_state where table_name = %s", (table.name,))
        self._execute(
            f"insert into {self.raw}._landing_state values (%s, %s, %s, %s)",
            (table.name, state.row_count, digests, state.compared_at),
        )

    def suppressions(self) -> Suppressions:
        return Suppressions()  # people can be erased on Postgres only; the settings refuse a key

    # staged rows

    def create_staged(self, table: Table, verdict: Verdict) -> None:
        columns = [f"{column.quoted} {column.policy.staging_type}" for column in table.columns]
        columns += [f"{quote(EXCEPTIONS)} varchar(65535)"] if table.keeps_exceptions else []
        self._execute(f"drop table if exists {self._staged(table)}")
        self._execute(f"create table {self._staged(table)} ({', '.join(columns)}) diststyle even")

    def _line(self, table: Table) -> str:
        """What stands for a row as MySQL sent it: all columns are staged as the texts that they were."""
        parts = [self._values(table, "")]
        parts += [f"md5(coalesce({quote(EXCEPTIONS)}, ''))"] if table.keeps_exceptions else []
        return " || ".join(parts)

    def _digest(self, table: Table, alias: str) -> str:
        """MD5 of a staged row."""
        return f"md5({self._values(table, f'{alias}.')})"

    def _values(self, table: Table, prefix: str) -> str:
        """The MD5s of a staged row's values. One that is NULL adds nothing: a column added empty changes no row."""
        return " || ".join(f"coalesce('{mark}' || md5({prefix}{column.quoted}), '')" for mark, column in _marked(table))

    # publication

    def begin(self) -> None:
        self._check_lock()
        self._execute("begin")

    def commit(self) -> None:
        self._check_lock()
        super().commit()

    def publish(self, table: Table, verdict: Verdict, run: Run, partial: bool | Blocks, rows: int) -> Change:
        self._write_exceptions(table, run, partial)
        if verdict.adopts:
            grants = self._grants(table)
            self._execute(f"drop table if exists {self._raw(table)}")
            self._create_raw(table, self._raw(table))
            self._grant(table, grants)
            return Change(self._insert(table, run, ""), 0, 0)
        if verdict.added or verdict.widened:
            self._rebuild(table, verdict)
        if table.key and not self.has_empty_key(table):
            return self._apply_by_key(table, run, partial)
        return self._apply_by_row(table, run)

    def _create_raw(self, table: Table, name: str) -> None:
        """Rows of one key lie together, as the facts' do; the rows that changed last lie together in each slice.

        Redshift distributes by no bytes: by the first column of the key that is none, else evenly.
        """
        columns = [f"{column.quoted} {column.policy.raw_type}" for column in table.columns]
        columns += ["_loaded_at timestamp with time zone not null", f"{ROW_MD5} varchar(32) not null"]
        spread_by = [column.quoted for column in table.key if not column.policy.raw_type.startswith("varbyte")]
        style = f"diststyle key distkey ({spread_by[0]})" if spread_by else "diststyle even"
        self._execute(f"create table {name} ({', '.join(columns)}) {style} sortkey (_loaded_at)")

    def _rebuild(self, table: Table, verdict: Verdict) -> None:
        """The same rows and grants, with columns added and widened."""
        raw, copy, grants = self._raw(table), f"{self.raw}._landing_copy", self._grants(table)
        kept = [column.quoted for column in table.columns if column.name not in verdict.added]
        names = ", ".join([*kept, "_loaded_at", ROW_MD5])
        self._create_raw(table, copy)
        self._execute(f"insert into {copy} ({names}) select {names} from {raw}")
        self._execute(f"drop table {raw}")
        self._execute(f"alter table {copy} rename to {quote(table.name)}")
        self._grant(table, grants)

    def _grants(self, table: Table) -> list[tuple[Any, ...]]:
        """Who may do what with the raw table: all of them only to a user with SYSLOG ACCESS UNRESTRICTED."""
        return self._rows(
            "select distinct identity_type, identity_name, privilege_type from svv_relation_privileges"
            " where namespace_name = %s and relation_name = %s and identity_name <> current_user",
            (self._settings.raw_schema, table.name),
        )

    def _grant(self, table: Table, grants: list[tuple[Any, ...]]) -> None:
        for kind, name, privilege in grants:
            grantee = {"public": "public", "user": quote(name)}.get(kind, f"{kind} {quote(name)}")
            self._execute(f"grant {privilege} on {self._raw(table)} to {grantee}")

    def _insert(self, table: Table, run: Run, condition: str, source: str = "") -> int:
        """Staged rows, or those of ``source``, as ``s``, become raw rows."""
        names = ", ".join(column.quoted for column in table.columns)
        values = ", ".join(column.published("s") for column in table.columns)
        return self._execute(
            f"insert into {self._raw(table)} ({names}, _loaded_at, {ROW_MD5})"
            f" select {values}, %s, {self._digest(table, 's')} from {source or self._staged(table)} s {condition}",
            (run.loaded_at,),
        )

    def _apply_by_key(self, table: Table, run: Run, partial: bool | Blocks) -> Change:
        raw, staged = self._raw(table), self._staged(table)
        keys = ", ".join(f"{column.published('s')} as {column.quoted}" for column in table.key)
        same = " and ".join(_equal(column, f"r.{column.quoted}", f"k.{column.quoted}") for column in table.key)
        first = table.key[0].quoted
        gone = (
            ""
            if partial
            else f" union all select {', '.join(f'r.{column.quoted}' for column in table.key)}, 'deleted' from {raw} r"
            f" left join (select {keys} from {staged} s) k on {same} where k.{first} is null"
        )
        self._execute(
            f"create temporary table _landing_changes as select distinct"
            f" {', '.join(f'k.{column.quoted}' for column in table.key)},"
            f" case when r.{first} is null then 'inserted' else 'updated' end as _change"
            f" from (select {keys}, {self._digest(table, 's')} as {ROW_MD5} from {staged} s) k"
            f" left join {raw} r on {same} where r.{first} is null or r.{ROW_MD5} <> k.{ROW_MD5}{gone}"
        )
        self._execute(
            f"insert into {self.raw}._landing_deletions select %s, {self._row_key(table, 'r', staged=False)}, %s, %s"
            f" from {raw} r join _landing_changes k on {same} where k._change = 'deleted'",
            (table.name, run.loaded_at, run.id),
        )
        in_raw = " and ".join(
            _equal(column, f"{raw}.{column.quoted}", f"_landing_changes.{column.quoted}") for column in table.key
        )
        self._execute(f"delete from {raw} using _landing_changes where {in_raw}")
        staged_key = " and ".join(_equal(column, column.published("s"), f"k.{column.quoted}") for column in table.key)
        self._insert(table, run, f"join _landing_changes k on {staged_key} and k._change <> 'deleted'")
        counts = dict(self._rows("select _change, count(*) from _landing_changes group by 1"))
        self._execute("drop table _landing_changes")
        inserted, updated, deleted = (int(counts.get(change, 0)) for change in ("inserted", "updated", "deleted"))
        return Change(inserted, updated, deleted)

    def _apply_by_row(self, table: Table, run: Run) -> Change:
        """Without a key: of equal rows, as many as MySQL has stay, those longest there; the table is written anew."""
        raw, staged, digest = self._raw(table), self._staged(table), self._digest(table, "s")
        self._execute(
            f"create temporary table _landing_counts as"
            f" select {ROW_MD5}, sum(staged) as staged, sum(present) as present"
            f" from (select {digest} as {ROW_MD5}, 1 as staged, 0 as present from {staged} s"
            f" union all select {ROW_MD5}, 0, 1 from {raw}) both_sides group by 1"
        )
        self._execute(
            f"create temporary table _landing_rows as select r.*,"
            f" row_number() over (partition by r.{ROW_MD5} order by r._loaded_at) as _copy from {raw} r"
        )
        counted = f"join _landing_counts c on c.{ROW_MD5} = r.{ROW_MD5} and r._copy"
        deleted = self._execute(
            f"insert into {self.raw}._landing_deletions select %s, {self._row_key(table, 'r', staged=False)}, %s, %s"
            f" from _landing_rows r {counted} > c.staged",
            (table.name, run.loaded_at, run.id),
        )
        if deleted:
            names = [*(column.quoted for column in table.columns), "_loaded_at", ROW_MD5]
            kept = ", ".join(f"r.{name}" for name in names)
            self._execute(f"delete from {raw}")
            self._execute(
                f"insert into {raw} ({', '.join(names)}) select {kept} from _landing_rows r {counted} <= c.staged"
            )
        numbered = f"(select s.*, row_number() over (partition by {digest}) as _copy from {staged} s)"
        more = f"join _landing_counts c on c.{ROW_MD5} = {digest} and s._copy > c.present"
        inserted = self._insert(table, run, more, numbered)
        self._execute("drop table _landing_counts")
        self._execute("drop table _landing_rows")
        return Change(inserted, 0, deleted)

    def _row_key(self, table: Table, alias: str, *, staged: bool) -> str:
        """The row's key as a JSON object; without a key, or where it could not be held, the MD5 of the row."""
        md5 = self._digest(table, alias) if staged else f"{alias}.{ROW_MD5}"
        whole = f"""'{{"row_md5" : "' || {md5} || '"}}'"""
        if not table.key:
            return whole
        values = {column: column.published(alias) if staged else f"{alias}.{column.quoted}" for column in table.key}
        pairs = [f"""'"{column.name}" : ' || {_json(column, value)}""" for column, value in values.items()]
        key = "'{' || " + " || ', ' || ".join(pairs) + " || '}'"
        empty = [f"{value} is null" for column, value in values.items() if column.unfit]
        return f"case when {' or '.join(empty)} then {whole} else {key} end" if empty else key

    def _write_exceptions(self, table: Table, run: Run, partial: bool | Blocks) -> None:
        staged, key = self._staged(table), self._row_key(table, "s", staged=True)
        those = f" and row_key in (select {key} from {staged} s)" if partial else ""
        self._execute(f"delete from {self.raw}._landing_exceptions where table_name = %s{those}", (table.name,))
        if not table.keeps_exceptions or not self.staged_exceptions(table):
            return
        for number, column in enumerate(table.columns):
            if not column.unfit:
                continue
            word = f"regexp_substr(s.{quote(EXCEPTIONS)}, '(^| ){number}:[0-9A-F]*')"
            in_hex = f"split_part({word}, ':', 2)"
            hexed = column.policy.original_is_hex
            original = f"lower({in_hex})" if hexed else f"from_varbyte(from_hex({in_hex}), 'utf8')"
            self._execute(
                f"insert into {self.raw}._landing_exceptions select %s, %s, {key}, {original}, %s, %s, %s"
                f" from {staged} s where {word} <> ''",
                (table.name, column.name, "hex" if hexed else "text", column.policy.unfit_reason, run.loaded_at),
            )


def _ask(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")


def _is_of_redshift(error: psycopg2.Error) -> bool:
    """As ``is_of_the_server``; but what is wrong with a value is an internal error too, XX000, on Redshift."""
    if error.pgcode == psycopg2.errorcodes.INTERNAL_ERROR:
        return bool(_OF_THE_SERVER.search(error.diag.message_primary or ""))
    return is_of_the_server(error)


def _reason(error: psycopg2.Error) -> str:
    """What Redshift says, without the value that it may quote."""
    message = re.sub(r"""['"].*['"]""", "'...'", error.diag.message_primary or "", flags=re.DOTALL)
    return f"{message}, SQLSTATE {error.pgcode}" if message else f"SQLSTATE {error.pgcode}"


def _marked(table: Table) -> list[tuple[str, Column]]:
    """Each column with what tells its values from those of others: eight characters, as an MD5 has 32."""
    return [(hashlib.sha256(column.name.encode()).hexdigest()[:8], column) for column in table.columns]


def _equal(column: Column, left: str, right: str) -> str:
    """Whether two keys are the same. Redshift passes over blanks at the end of texts, in which MySQL's may differ."""
    mark = " || '.'" if column.policy.raw_type.startswith("character") else ""
    return f"{left}{mark} = {right}{mark}"


def _json(column: Column, value: str) -> str:
    """A key's value in JSON."""
    if _NUMBERS.match(column.policy.raw_type):
        return f"cast({value} as varchar({_LONGEST_NUMBER}))"
    if column.policy.raw_type.startswith("varbyte"):
        return f"""'"' || from_varbyte({value}, 'hex') || '"'"""
    text = value if column.policy.raw_type.startswith("character") else f"cast({value} as varchar({_LONGEST_NUMBER}))"
    for code, escape in ((92, "chr(92)"), (34, "chr(34)"), (10, "'n'"), (13, "'r'"), (9, "'t'")):
        text = f"replace({text}, chr({code}), chr(92) || {escape})"
    return f"""'"' || {text} || '"'"""
