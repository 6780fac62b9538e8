"""MySQL: one read-only connection, one consistent snapshot; which tables are there, and their rows as text."""

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pymysql
import pymysql.constants.ER as ER

from ingestion.names import quote_mysql
from ingestion.settings import Settings

_READ_AT_ONCE = 1 << 18
_GREETING = 30  # seconds for the answer of a server that took the connection
_MARGIN = 60  # seconds beyond the statement timeout, after which a connection without a byte counts as lost
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}  # a host that is gone: a minute and a half
_SESSION = (  # what the server's own settings would otherwise change in the rows, or leave out of them
    "SET NAMES utf8mb4, time_zone = '+00:00', sql_select_limit = 18446744073709551615,"
    " sql_big_selects = 1, group_concat_max_len = 4294967295, net_write_timeout = 600, lock_wait_timeout = 60"
)
_HOLDS_ROWS = "table_schema = database() AND coalesce(table_type, '') NOT IN ('SYSTEM VIEW', 'SEQUENCE')"
_POSITION = (  # one statement, so one clock: its difference to Uptime is the start of the server, to the second
    "SELECT CONCAT(@@hostname, ' ', @@port, ' ', @@server_id, ' ',"
    " CAST(UNIX_TIMESTAMP() - MAX(IF(variable_name = 'Uptime', variable_value, NULL)) AS UNSIGNED), ' ',"
    " MAX(IF(variable_name = 'Innodb_lsn_current', variable_value, NULL)), ' ', DATABASE())"
    " FROM information_schema.global_status WHERE variable_name IN ('Uptime', 'Innodb_lsn_current')"
)


class SourceUnavailable(Exception):
    """MySQL cannot be reached, refuses the login, or went away. The warehouse is untouched."""


class TableUnreadable(Exception):
    """One table cannot be read; the others can."""


@dataclasses.dataclass(frozen=True)
class SourceColumn:
    name: str
    data_type: str
    column_type: str
    charset: str | None
    nullable: bool
    key_position: int
    """1, 2, ... within the primary key (else the first unique key without nullable columns); 0: not in it."""


@dataclasses.dataclass(frozen=True)
class SourceTable:
    name: str
    columns: tuple[SourceColumn, ...]
    estimated_rows: int
    transactional: bool
    """Whether its rows belong to the snapshot; a MyISAM table is read as it is when its turn comes."""
    is_view: bool = False
    in_key_order: bool = False
    """Whether its rows lie in the order of its primary key: to ask for them in that order costs nothing."""
    is_logged: bool = False
    """Whether it cannot change while InnoDB's log stands still: rows of InnoDB, no column computed when it is read."""


@dataclasses.dataclass(frozen=True)
class Totals:
    """Rows of one table, and the sum of their checksums: what MySQL counts while it sends them."""

    rows: int
    checksum: int

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.rows + other.rows, self.checksum + other.checksum)

    def __str__(self) -> str:
        return f"{self.rows} rows with checksum {self.checksum}"


class Source:
    """The connection and its snapshot. Reads one table after the other."""

    def __init__(self, settings: Settings):
        """Connect and open the snapshot.

        Raises:
            SourceUnavailable: says which server and user, and why.
        """
        self._settings = settings
        self._aborted = threading.Event()
        where = f"MySQL at {settings.mysql['host']}:{settings.mysql['port']}"
        try:
            self._connection = pymysql.connect(
                **settings.mysql,
                charset="utf8mb4",
                connect_timeout=10,
                read_timeout=_GREETING,
                autocommit=True,
            )
            timeout = settings.statement_timeout
            cast(Any, self._connection)._read_timeout = timeout + _MARGIN if timeout else None
            for option, value in _KEEPALIVE.items():
                if hasattr(socket, option):
                    opened = cast(Any, self._connection)._sock
                    opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
            version = str(cast(Any, self._connection).get_server_info())
            self.is_mariadb = "mariadb" in version.lower()
            self._query("SET sql_mode = ''")  # first: a strict one takes no length beyond what the server allows
            self._query(_SESSION)
            if self.is_mariadb:
                self._query("SET system_versioning_asof = DEFAULT")
            self._longest_statement = int(self._query("SELECT @@max_allowed_packet")[0][0]) - 1024
            limit = f"max_statement_time = {timeout}" if self.is_mariadb else f"max_execution_time = {timeout * 1000}"
            self._query(f"SET SESSION {limit}")
            before = self._log_position()
            self._query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # of the next transaction alone
            self._query("START TRANSACTION READ ONLY")
            self._held = self._hold_definitions()
            self.position = before if before == self._log_position() else None
            """Where the log of the server stands in the snapshot; None where it moved meanwhile, or nobody says."""
        except (pymysql.Error, OSError, RuntimeError) as error:
            raise SourceUnavailable(f"{where}: {_explain(error, settings)}") from None

    def close(self) -> None:
        self._connection.close()

    @property
    def socket(self) -> int:
        return int(cast(Any, self._connection)._sock.fileno())

    def abort(self) -> None:
        """End what another thread is reading: it gets ``SourceUnavailable``."""
        self._aborted.set()
        with contextlib.suppress(OSError, AttributeError):  # closed already
            cast(Any, self._connection)._sock.shutdown(socket.SHUT_RDWR)

    def check_held(self, table: str) -> None:
        """Raises ``TableUnreadable`` for a table whose definition may have changed since the snapshot."""
        if refusal := self._held[table]:
            raise TableUnreadable(refusal)

    def tables(self) -> list[SourceTable]:
        """All tables and views, the largest first."""
        rows = self._query(
            "SELECT t.table_name, coalesce(t.table_rows, 0), coalesce(e.transactions = 'YES', t.table_type = 'VIEW'),"
            " coalesce(t.table_type = 'VIEW', 0), t.table_type = 'BASE TABLE' AND t.engine = 'InnoDB'"
            " FROM information_schema.tables t"
            " LEFT JOIN information_schema.engines e ON e.engine = t.engine"
            f" WHERE {_HOLDS_ROWS}"
        )
        columns, clustered, computed = self._columns()
        for name, _, _, is_view, _ in rows:
            if is_view:  # what a view says about NULL need not hold
                columns[name] = [dataclasses.replace(column, nullable=True) for column in columns.get(name, ())]
        tables = [
            SourceTable(
                name,
                tuple(columns.get(name, ())),
                int(estimate),
                bool(transactional),
                bool(is_view),
                bool(transactional) and name in clustered,
                bool(in_innodb) and name not in computed,
            )
            for name, estimate, transactional, is_view, in_innodb in rows
            if name in self._held  # else it came later than the snapshot
        ]
        return sorted(tables, key=lambda table: (-table.estimated_rows, table.name))

    def stream(self, select: str) -> Iterator[list[bytes]]:
        """The rows of a SELECT of one text column, as bytes, in batches as they arrive.

        Reads the protocol's packets by hand: a row costs a tenth of what a cursor takes for it, and no value
        is decoded. The server's row is ``<length><number><length of the text><text>``.

        Raises:
            TableUnreadable: MySQL stopped with an error, or a row is larger than ``max_allowed_packet``.
            SourceUnavailable: the connection was lost.
        """
        if len(select.encode()) > self._longest_statement:
            raise TableUnreadable("its SELECT is longer than the server's max_allowed_packet; raise it there")
        try:
            yield from self._packets(select)
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

    def reset_totals(self) -> None:
        self._query("SET @landing_checksum = CAST(0 AS UNSIGNED)")

    def totals(self) -> Totals:
        """The rows of the SELECT that was just read to its end, and the sum of checksums since ``reset_totals``."""
        ((rows, checksum),) = self._query("SELECT FOUND_ROWS(), @landing_checksum")
        return Totals(int(rows or 0), int(checksum or 0))

    def bounds(self, table: str, column: str) -> tuple[int, int] | None:
        """The smallest and the greatest value of a whole number; None where it is empty. Raises as ``stream``."""
        name = quote_mysql(column)
        both = f"COALESCE(CONCAT(MIN({name}), ',', MAX({name})), '')"
        ((text,),) = self.stream(select_list(self._settings.database, table, both))
        low, _, high = text.partition(b",")
        return (int(low), int(high)) if text else None

    def literal(self, text: str) -> str:
        return str(self._connection.escape(text))

    def _packets(self, select: str) -> Iterator[list[bytes]]:
        connection: Any = self._connection
        connection._execute_command(pymysql.constants.COMMAND.COM_QUERY, select)
        columns = connection._read_packet().read_length_encoded_integer()
        for _ in range(columns + 1):  # their descriptions, then a mark that they are complete
            connection._read_packet()
        read, read_whole = connection._rfile.read1, connection._rfile.read
        limit, started, total, overlong = self._settings.rows_per_second, time.monotonic(), 0, 0
        data: bytes = b""
        missing = 0
        while True:
            received = read_whole(missing) if missing > _READ_AT_ONCE else read(_READ_AT_ONCE)
            if len(received) < missing > _READ_AT_ONCE or not received:
                raise pymysql.OperationalError(2013, "Lost connection to MySQL server during query")
            data = data + received if data else received
            rows: list[bytes] = []
            add = rows.append
            at, size, done, missing = 0, len(data), False, 0
            while at + 5 <= size:
                length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
                end = at + 4 + length
                if end > size:
                    missing = end - size
                    break
                first = data[at + 4]
                if first < 251:
                    add(data[at + 5 : end])
                elif first == 252:
                    add(data[at + 7 : end])
                elif first == 253 and length < 0xFFFFFF:
                    add(data[at + 8 : end])
                elif first == 254 and length < 9:
                    done = True
                    break
                elif first == 255:
                    pymysql.err.raise_mysql_exception(data[at + 4 : end])
                elif first == 251:  # read on to the end: the snapshot is still good for the other tables
                    overlong += 1
                else:
                    row, end = _join_packets(data, at)
                    if end > size:
                        missing = end - size
                        break
                    add(row)
                at = end
            if rows:
                yield rows
                total += len(rows)
                if limit:
                    self._aborted.wait(max(0.0, started + total / limit - time.monotonic()))
            if done:
                break
            data = data[at:]
        if overlong:
            reason = f"{overlong} rows are longer, as text, than the server's max_allowed_packet; raise it there"
            raise TableUnreadable(reason)

    def _hold_definitions(self) -> dict[str, str]:
        """Keep every table as it is defined until the connection closes, then open the snapshot.

        A snapshot is of rows: a table that took the name of another after it, or a partition its place, would be read
        without an error. Returns the tables and views, each with why it could not be held, or nothing.
        """
        held: dict[str, str] = {}
        engines: dict[str, str] = {}
        for name, engine, is_view in self._query(
            "SELECT table_name, engine, coalesce(table_type, '') = 'VIEW' FROM information_schema.tables"
            f" WHERE {_HOLDS_ROWS} ORDER BY 3, 1"
        ):
            wanted = self._settings.wants(name) and (self._settings.with_views or not is_view)
            held[name] = self._look(name, limit=0) if wanted else ""  # opens the table and reads no row
            if wanted and not is_view and not held[name]:
                engines.setdefault(engine, name)
        for name in engines.values():  # the first row that is asked for opens the snapshot of its engine
            self._look(name, limit=1)
        return held

    def _look(self, table: str, limit: int) -> str:
        """Why not, if it cannot be read."""
        try:
            for _ in self.stream(f"{select_list(self._settings.database, table, '1')} LIMIT {limit}"):
                pass
        except TableUnreadable as error:
            return str(error)
        return ""

    def _log_position(self) -> str | None:
        """Which server this is, since when, and how far InnoDB wrote its log; None where it does not say.

        MariaDB looks it up when it is asked. What MySQL says (``Innodb_redo_log_current_lsn``) is brought up to date by
        one of its threads in the background: a change of the last moment could be missing.
        """
        if not self.is_mariadb:
            return None
        try:
            ((position,),) = self._query(_POSITION)
        except SourceUnavailable:  # if the connection was lost, the next query says so
            return None
        return None if position is None else str(position)

    def _columns(self) -> tuple[dict[str, list[SourceColumn]], set[str], set[str]]:
        """The columns of each table, the tables with a primary key, and those with a column computed on reading."""
        keys: dict[tuple[str, str], list[tuple[str, bool]]] = {}
        for table, index, column, nullable, part in self._query(
            "SELECT table_name, index_name, column_name, nullable, sub_part FROM information_schema.statistics"
            " WHERE table_schema = database() AND non_unique = 0 ORDER BY table_name, index_name, seq_in_index"
        ):
            keys.setdefault((table, index), []).append((column, nullable == "YES" or part is not None))
        key_of: dict[str, list[str]] = {}
        for (table, _index), parts in sorted(keys.items(), key=lambda item: (item[0][1] != "PRIMARY", item[0])):
            if not any(unusable for _, unusable in parts) and all(column for column, _ in parts):
                key_of.setdefault(table, [column for column, _ in parts])
        columns: dict[str, list[SourceColumn]] = {}
        computed = set()
        for table, name, data_type, column_type, charset, nullable, is_virtual in self._query(
            "SELECT table_name, column_name, lower(data_type), column_type, character_set_name, is_nullable = 'YES',"
            " coalesce(extra, '') LIKE '%VIRTUAL%'"
            " FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position"
        ):
            if is_virtual:
                computed.add(table)
            key = key_of.get(table, [])
            position = key.index(name) + 1 if name in key else 0
            columns.setdefault(table, []).append(
                SourceColumn(name, data_type, column_type, charset, bool(nullable), position)
            )
        return columns, {table for table, index in keys if index == "PRIMARY"}, computed

    def _query(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return cast(tuple[tuple[Any, ...], ...], cursor.fetchall())
        except (pymysql.Error, OSError) as error:
            if isinstance(error, (pymysql.InterfaceError, OSError)) or error.args[0] in (2006, 2013, 2014):
                raise self._lost(error) from None
            where = f"MySQL at {self._settings.mysql['host']}:{self._settings.mysql['port']}"
            raise SourceUnavailable(f"{where}: {_explain(error, self._settings)} Nothing was published.") from None

    def _lost(self, error: Exception) -> SourceUnavailable:
        return SourceUnavailable(
            f"MySQL at {self._settings.mysql['host']}:{self._settings.mysql['port']}: the connection was lost"
            f" ({type(error).__name__}). Nothing was published; run again when the server is back."
        )


def select_list(database: str, table: str, expression: str, condition: str | None = None) -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT {expression} FROM {quote_mysql(database)}.{quote_mysql(table)}{where}"


def _join_packets(data: bytes, at: int) -> tuple[bytes, int]:
    """A row that fills several packets, and where it ends: beyond ``data`` while it is not all there."""
    parts, length = [], 0xFFFFFF
    while length == 0xFFFFFF:
        end = at + 4
        if end <= len(data):
            length = int.from_bytes(data[at : at + 3], "little")
            end += length
        if end > len(data):
            return b"", end
        parts.append(data[at + 4 : end])
        at = end
    whole = b"".join(parts)
    return whole[{252: 3, 253: 4, 254: 9}[whole[0]] :], at


def _explain(error: Exception, settings: Settings) -> str:
    """MySQL's error in words without any value of a row, and what to do about it."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    user = settings.mysql["user"]
    if "certificate" in str(error).lower():
        return "its certificate could not be verified. Check MYSQL_SSL_CA and the host name. No password was sent."
    known = {
        ER.ACCESS_DENIED_ERROR: f"the login of user '{user}' is refused. Check MYSQL_USER and MYSQL_PASSWORD.",
        ER.DBACCESS_DENIED_ERROR: f"user '{user}' may not read database '{settings.database}'. Grant it SELECT.",
        ER.BAD_DB_ERROR: f"there is no database '{settings.database}'. Check MYSQL_DATABASE.",
        ER.TABLEACCESS_DENIED_ERROR: f"user '{user}' may not read it. Grant it SELECT.",
        ER.TABLE_DEF_CHANGED: "its definition changed after the snapshot was taken. Run again.",
        2026: "it offers no TLS, and MYSQL_SSL_MODE asks for it. No password was sent.",
        2003: "it cannot be reached. Check MYSQL_HOST and MYSQL_PORT, and that the server is up.",
        2013: "it takes connections and does not answer. Check MYSQL_HOST and MYSQL_PORT, and that the server is well.",
        ER.LOCK_WAIT_TIMEOUT: "another session holds a lock on it and did not let go within a minute.",
        1969: "it took longer than INGEST_STATEMENT_TIMEOUT_SECONDS.",
        3024: "it took longer than INGEST_STATEMENT_TIMEOUT_SECONDS.",
    }
    if code in known:
        return known[code]
    if isinstance(error, RuntimeError):  # a package for the server's way of logging in is missing
        return str(error)
    name = next((name for name, number in vars(ER).items() if number == code), "")
    return f"MySQL error {code}{f' ({name})' if name else ''}." if code else f"{type(error).__name__}."
