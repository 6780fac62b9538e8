"""MySQL: one read-only connection with one consistent snapshot, its tables, and their rows as text."""

import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pymysql
import pymysql.constants.ER as ER

from landing.columns import ColumnPlan, LineFormat, RowSum, SentText, SourceColumn, SourceTable, TablePlan
from landing.mysql import catalog, packets, text
from landing.mysql.changes import Changes, Log
from landing.names import quote_mysql
from landing.settings import Settings
from landing.steps import reached

_MARGIN = 60  # seconds beyond the statement timeout, after which a connection without a byte counts as lost
_LOCK_WAIT = 60
_SESSION = (  # settings of the server that could otherwise change rows, or leave some out
    "SET NAMES utf8mb4, time_zone = '+00:00', sql_select_limit = 18446744073709551615,"
    " sql_big_selects = 1, group_concat_max_len = 4294967295, net_write_timeout = 600"
)
_OF_SOME_VERSIONS = (
    *("max_execution_time", "max_statement_time", "system_versioning_asof", "in_predicate_conversion_threshold"),
)
_TABLES = (
    "SELECT table_name, engine, coalesce(table_type, '') = 'VIEW' FROM information_schema.tables"
    f" WHERE {catalog.HOLDS_ROWS} ORDER BY 3, 1"
)
log = logging.getLogger("landing")


class SourceUnavailable(Exception):
    """MySQL cannot be reached, refuses the login, or went away. The warehouse is untouched."""


class TableUnreadable(Exception):
    """One table cannot be read; the others can."""


class MySqlSource:
    """The connection and its snapshot. Reads one table after the other."""

    changes: Changes
    """What the binary log names as changed since the last landing."""

    def __init__(self, settings: Settings, since: str):
        """Connect and open the snapshot. ``since`` is the ``Changes.position`` of the last landing, or empty.

        Raises:
            SourceUnavailable: names the server and the user, and the reason.
        """
        self._settings = settings
        self._aborted = threading.Event()
        where = f"MySQL at {settings.mysql['host']}:{settings.mysql['port']}"
        try:
            self._connection = pymysql.connect(
                **settings.mysql,
                charset="utf8mb4",
                connect_timeout=10,
                read_timeout=settings.greeting_timeout,
                autocommit=True,
            )
            self._set_up_session(settings.statement_timeout)
            # first: MySQL 8 reads its catalog by InnoDB, which could open the snapshot before definitions are held
            log_of_changes = Log(settings, self._run, since)
            log_of_changes.before_snapshot()
            found = self._query(_TABLES)
            self._query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # of the next transaction alone
            self._query("START TRANSACTION READ ONLY")
            self._held = self._hold_definitions(found)
            self.changes = log_of_changes.after_snapshot()
        except SourceUnavailable:
            raise
        except Exception as error:  # also what the driver raises for ways of logging in that it does not know
            raise SourceUnavailable(f"{where}: {_explain_login(error, settings)}") from None
        reached("snapshot opened")

    def _set_up_session(self, timeout: int) -> None:
        packets.keep_alive(self._connection, timeout + _MARGIN if timeout else None)
        self._query("SET sql_mode = ''")  # first: a strict one takes no length beyond what the server allows
        self._query(_SESSION)
        asked = "SELECT version(), @@max_allowed_packet, @@lower_case_table_names = 0"
        ((version, longest, capitals_count),) = self._query(asked)
        self.capitals_count = bool(capitals_count)
        """Whether ``Shop`` and ``shop`` are two databases."""
        self._longest_statement = int(longest) - 1024
        lock_wait = _LOCK_WAIT
        names = ", ".join(f"'{name}'" for name in _OF_SOME_VERSIONS)
        known = {name for name, _ in self._query(f"SHOW SESSION VARIABLES WHERE variable_name IN ({names})")}
        if "system_versioning_asof" in known:
            self._query("SET system_versioning_asof = DEFAULT")
        if "in_predicate_conversion_threshold" in known:  # else MariaDB reads long lists of keys by a subquery
            self._query("SET SESSION in_predicate_conversion_threshold = 0")
        if "max_execution_time" in known:
            self._query(f"SET SESSION max_execution_time = {timeout * 1000}")
        elif "max_statement_time" in known:  # of MariaDB in seconds, of Percona 5.6 in milliseconds
            unit = 1 if "mariadb" in version.lower() else 1000
            self._query(f"SET SESSION max_statement_time = {timeout * unit}")
        elif timeout:
            lock_wait = min(lock_wait, timeout)
            log.info(
                "MySQL %s limits no statement: its time is up %s s after its last byte.", version, timeout + _MARGIN
            )
        self._query(f"SET SESSION lock_wait_timeout = {lock_wait}")

    def close(self) -> None:
        """Once, or again."""
        if self._connection.open:
            self._connection.close()

    def abort(self) -> None:
        """End a read by another thread, which gets ``SourceUnavailable``."""
        self._aborted.set()
        packets.cut(self._connection)

    # tables, and how they are sent

    def check_held(self, table: str) -> None:
        """Raises ``TableUnreadable`` for a table whose definition may have changed since the snapshot."""
        if refusal := self._held[table]:
            raise TableUnreadable(refusal)

    def tables(self) -> list[SourceTable]:
        """All tables and views, the largest first."""
        return catalog.tables(self._query, self._held)

    def text_of(self, table: SourceTable, column: SourceColumn, format: LineFormat, check_texts: bool) -> SentText:
        """The text of a column's values, hashed if the settings say so. Raises ``text.NoPolicy``."""
        sent = text.text_of(column, format, check_texts)
        if table.is_view and column.data_type == "decimal":
            sent = text.without_minus_zero(sent)
        if self._settings.hashes(table.name, column.name):
            sent = text.hashed(sent, self._settings.hash_key)
        return text.marked(sent) if format.marked_texts and sent.type == "text" and sent.quoted else sent

    def values(self, table: SourceTable, column: SourceColumn, sent: SentText) -> Iterator[str]:
        """The distinct values of a column, as they are sent. Raises as ``stream``."""
        name = quote_mysql(column.name)
        expression = f"DISTINCT {sent.sent.replace('{}', name)}"
        select = text.select(self._settings.database, table.name, expression, f"{name} IS NOT NULL")
        for rows in self.stream(select):
            yield from map(bytes.decode, rows)

    def is_one_of(self, column: SourceColumn, sent: SentText, values: Iterable[str]) -> str:
        """Condition for rows with one of these values, as they are sent."""
        literals = ", ".join(map(self._literal, values))
        return f"CAST({sent.sent.replace('{}', quote_mysql(column.name))} AS BINARY) IN ({literals})"

    def reaches(self, table: TablePlan, column: ColumnPlan, value: str) -> bool:
        """Whether a row has this value or a later one. Raises as ``stream``."""
        condition = f"{text.value_of(column)} >= {self._literal(value)}"
        select = text.select(self._settings.database, table.source.name, "1", condition)
        return any(rows for rows in self.stream(f"{select} LIMIT 1"))

    def not_before(self, column: ColumnPlan, value: str) -> str:
        """Condition for rows with a value not before this one, or without a value."""
        newer = f"{text.value_of(column)} >= {self._literal(value)}"
        return f"({newer} OR {text.value_of(column)} IS NULL)" if column.may_be_empty else newer

    def has_key(self, key: ColumnPlan, values: Iterable[int]) -> str:
        """Condition for rows with one of these whole numbers."""
        return f"{quote_mysql(key.source.name)} IN ({','.join(map(str, values))})"

    def select(self, table: TablePlan, format: LineFormat, condition: str = "", in_key_order: bool = False) -> str:
        """The SELECT of a table's lines."""
        line = text.line_of(table, format)
        order = f" ORDER BY {quote_mysql(table.columns[0].source.name)}" if in_key_order else ""
        return text.select(self._settings.database, table.source.name, line, condition) + order

    # rows

    def stream(self, select: str) -> Iterator[list[bytes]]:
        """The rows of a SELECT of one text column, as bytes, in batches as they arrive.

        Raises:
            TableUnreadable: MySQL stopped with an error, or a row is larger than ``max_allowed_packet``.
            SourceUnavailable: the connection was lost.
        """
        if len(select.encode()) > self._longest_statement:
            raise TableUnreadable("its SELECT is longer than the server's max_allowed_packet; raise it there")
        try:
            yield from packets.rows_of(self._connection, select, self._settings.rows_per_second, self._aborted)
        except packets.RowsTooLong as error:
            reason = f"{error} rows are longer, as text, than the server's max_allowed_packet; raise it there"
            raise TableUnreadable(reason) from None
        except pymysql.OperationalError as error:
            if error.args and error.args[0] in (2006, 2013, 2014):
                raise self._lost(error) from None
            if error.args and error.args[0] == ER.LOCK_DEADLOCK:  # it takes the snapshot away
                raise SourceUnavailable(f"A table of {self._settings.database} was being altered. Run again.") from None
            if error.args and error.args[0] in (ER.ACCESS_DENIED_ERROR, ER.NO_SUCH_USER):
                raise TableUnreadable(
                    "the account that the view reads as (DEFINER) is not there or may not read: make it,"
                    " or the view one of SQL SECURITY INVOKER"
                ) from None
            raise TableUnreadable(_explain(error, self._settings)) from None
        except pymysql.Error as error:
            raise TableUnreadable(_explain(error, self._settings)) from None
        except OSError as error:
            raise self._lost(error) from None

    def reset_sum(self) -> None:
        self._query("SET @landing_checksum = CAST(0 AS UNSIGNED)")

    def row_sum(self) -> RowSum:
        """The rows of the SELECT that was just read to its end, and the sum of checksums since ``reset_sum``."""
        ((rows, checksum),) = self._query("SELECT FOUND_ROWS(), @landing_checksum")
        return RowSum(int(rows or 0), int(checksum or 0))

    def bounds(self, table: TablePlan, column: ColumnPlan) -> tuple[int, int] | None:
        """The smallest and the greatest value of a whole number; None without rows. Raises as ``stream``."""
        name = quote_mysql(column.source.name)
        both = f"COALESCE(CONCAT(MIN({name}), ',', MAX({name})), '')"
        ((found,),) = self.stream(text.select(self._settings.database, table.source.name, both))
        low, _, high = found.partition(b",")
        return (int(low), int(high)) if found else None

    def _literal(self, value: str) -> str:
        return str(self._connection.escape(value))

    def _hold_definitions(self, found: Iterable[tuple[Any, ...]]) -> dict[str, str]:
        """Keep every table found as it is defined until the connection closes, then open the snapshot.

        A snapshot holds rows, not definitions. If another table took the name later, or another partition the place,
        it would be read without an error. Returns the tables and views, each with the reason for not holding it, or
        nothing.
        """
        held: dict[str, str] = {}
        engines: dict[str, str] = {}
        for name, engine, is_view in found:
            wanted = self._settings.wants(name) and (self._settings.with_views or not is_view)
            held[name] = self._look(name, limit=0) if wanted else ""  # opens the table and reads no row
            if wanted and not is_view and not held[name]:
                engines.setdefault(engine, name)
        for name in engines.values():  # the first row that is asked for opens the snapshot of its engine
            self._look(name, limit=1)
        return held

    def _look(self, table: str, limit: int) -> str:
        """The reason, if the table cannot be read; else nothing."""
        try:
            for _ in self.stream(f"{text.select(self._settings.database, table, '1')} LIMIT {limit}"):
                pass
        except TableUnreadable as error:
            return str(error)
        return ""

    def _run(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        """Raises ``pymysql.Error`` if MySQL refuses the statement, and ``SourceUnavailable`` if it went away."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return cast(tuple[tuple[Any, ...], ...], cursor.fetchall())
        except (pymysql.Error, OSError) as error:
            if isinstance(error, (pymysql.InterfaceError, OSError)) or error.args[0] in (2006, 2013, 2014):
                raise self._lost(error) from None
            raise

    def _query(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        try:
            return self._run(sql)
        except pymysql.Error as error:
            where = f"MySQL at {self._settings.mysql['host']}:{self._settings.mysql['port']}"
            raise SourceUnavailable(f"{where}: {_explain(error, self._settings)} Nothing was published.") from None

    def _lost(self, error: Exception) -> SourceUnavailable:
        return SourceUnavailable(
            f"MySQL at {self._settings.mysql['host']}:{self._settings.mysql['port']}: the connection was lost"
            f" ({type(error).__name__}). Nothing was published; run again when the server is back."
        )


_IN_THE_MANUAL = ", which its manual explains."


def _explain(error: Exception, settings: Settings) -> str:
    """MySQL's error in words, without any value of a row, and its remedy."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    user = settings.mysql["user"]
    if "certificate" in str(error).lower():
        return "its certificate could not be verified. Check MYSQL_SSL_CA and the host name. No password was sent."
    asks_for_tls = "" if settings.mysql["ssl"] else ", or if the account asks for TLS, set MYSQL_SSL_MODE=verify"
    refused = f"the login of user '{user}' is refused. Check MYSQL_USER and MYSQL_PASSWORD{asks_for_tls}."
    locked = f"the account of user '{user}' is locked. Unlock it there (ALTER USER ... ACCOUNT UNLOCK)."
    expired = f"the password of user '{user}' has expired. Set a new one there, then in MYSQL_PASSWORD."
    full = "it has no connection left{}. Raise {} there, or run again when others have ended."
    known = {
        ER.ACCESS_DENIED_ERROR: refused,
        ER.DBACCESS_DENIED_ERROR: (
            f"user '{user}' may not read database '{settings.database}', or there is none. Check MYSQL_DATABASE,"
            " else grant it SELECT."
        ),
        ER.BAD_DB_ERROR: f"there is no database '{settings.database}'. Check MYSQL_DATABASE.",
        ER.TABLEACCESS_DENIED_ERROR: f"user '{user}' may not read it. Grant it SELECT.",
        ER.TABLE_DEF_CHANGED: "its definition changed after the snapshot was taken. Run again.",
        1040: full.format("", "max_connections"),
        1203: full.format(f" for user '{user}'", "max_user_connections"),
        1226: full.format(f" for user '{user}'", "what the account is limited to (MAX_USER_CONNECTIONS, ..._PER_HOUR)"),
        1129: "it refuses this machine after too many broken connections. Run FLUSH HOSTS there.",
        1130: "it takes no login from this machine. Make the account for this host there (user@host).",
        1820: expired,
        1862: expired,
        3118: locked,
        4151: locked,
        3159: "it takes connections by TLS only. Set MYSQL_SSL_MODE=verify, and MYSQL_SSL_CA.",
        2026: "it offers no TLS, and MYSQL_SSL_MODE asks for it. No password was sent.",
        2003: "it cannot be reached. Check MYSQL_HOST and MYSQL_PORT, and that the server is up.",
        2013: "it takes connections and does not answer. Check MYSQL_HOST and MYSQL_PORT, and that the server is well.",
        ER.LOCK_WAIT_TIMEOUT: "another session holds a lock on it and did not let go in time (a minute at most).",
        1969: "it took longer than INGEST_STATEMENT_TIMEOUT_SECONDS.",
        3024: "it took longer than INGEST_STATEMENT_TIMEOUT_SECONDS.",
    }
    if code in known:
        return known[code]
    if isinstance(error, RuntimeError):  # a package for the server's way of logging in is missing
        return str(error)
    name = next((name for name, number in vars(ER).items() if number == code), "")
    if not code:
        return f"{type(error).__name__}."
    return f"it stopped with error {code}{f' ({name})' if name else ''}{_IN_THE_MANUAL}"


def _explain_login(error: Exception, settings: Settings) -> str:
    """The same of an error before the first row is read: nothing that the server says then quotes a row."""
    code = error.args[0] if error.args else None
    if code == 2059 or not isinstance(error, (pymysql.Error, OSError, RuntimeError)):
        return (
            f"user '{settings.mysql['user']}' logs in by a way that the driver does not know, such as a password hash"
            " from before MySQL 4.1. Set the password anew there by mysql_native_password or caching_sha2_password."
        )
    said = _explain(error, settings)
    return f"{said} It says: {error.args[-1]}" if said.endswith(_IN_THE_MANUAL) else said
