"""What MySQL's binary log names as changed since the last landing. It is a signal only: values are read as ever.

The log tells of a transaction before its rows are visible. So two positions enclose the snapshot:

1. *Proven*: all transactions up to here are visible in the snapshot. The next landing reads the log from here on.
   MariaDB says itself at which position a snapshot stands; a later snapshot stands there or behind. On MySQL, a locking
   read of a row of the last transaction waits until that one is visible, and transactions become visible in the order
   of the log. All transactions of a file are visible before the next file begins.
2. *The end* of the log, read after the snapshot was opened: all transactions visible in it lie before the end.

The rows named between the last landing and the end are read in the snapshot.
"""

import collections
import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pymysql.constants.ER as ER

from landing.columns import SourceColumn
from landing.mysql import binlog, catalog
from landing.mysql.binlog import KeyColumn, LogUnreadable, Position, TableName, Transaction
from landing.names import quote_mysql
from landing.settings import Settings

MOST_KEYS = 100_000
"""Changed keys of one table. If there are more, all its rows are read."""
_CANDIDATES = 8
"""Transactions tried for the proof, from the last one back. Another session may hold a row's lock."""
_WHOLE_NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
_CASCADES = re.compile(r"\bON (DELETE|UPDATE) (CASCADE|SET NULL|SET DEFAULT)\b", re.IGNORECASE)
_VARIABLES = (
    *("log_bin", "server_uuid", "server_uid", "server_id", "lower_case_table_names", "binlog_order_commits"),
    *("log_slave_updates", "log_replica_updates"),
)
_FOREIGN_KEYS = (
    "SELECT table_name, referenced_table_schema, referenced_table_name FROM information_schema.key_column_usage"
    " WHERE table_schema = database() AND referenced_table_name IS NOT NULL"
)
Run = Callable[[str], tuple[tuple[Any, ...], ...]]


@dataclasses.dataclass(frozen=True)
class Changes:
    """The rows changed since the last landing."""

    since: str = ""
    """Server and position of the last landing."""
    position: str = ""
    """The same for the next landing. Empty if that one must read all rows."""
    why_not: str = ""
    """Why this landing reads all rows, in words for the report."""
    keys: dict[str, set[int] | None] | None = None
    """By table, the changed values of its first key column; None if they are unknown. None: all rows are read."""

    def of(self, table: str) -> set[int] | None:
        """The changed keys of a table. None: all its rows are read."""
        return None if self.keys is None else self.keys.get(table, set())


class Log:
    """The log of one landing. ``before_snapshot`` and ``after_snapshot`` enclose the opening of the snapshot."""

    def __init__(self, settings: Settings, run: Run, since: str):
        """``run`` runs a statement and raises ``pymysql.Error``. ``since`` is the ``position`` of the last landing."""
        self._settings, self._run, self._since = settings, run, since
        self._why_not = ""
        self._last: Position | None = None
        self._proven: Position | None = None
        self._end: Position | None = None
        self._stamps: dict[str, int] = {}
        self._keys: dict[TableName, set[int] | None] = {}
        self._columns: dict[TableName, SourceColumn] = {}
        """The first column of each key that is a whole number."""
        self._key_columns: dict[TableName, KeyColumn] = {}
        self._unlogged: set[TableName] = set()
        """Views, and tables of engines whose changes are not all rows in the log. They are read whole."""
        self._parents: set[TableName] = set()
        self._everything = ""
        self._links: tuple[tuple[Any, ...], ...] = ()
        self._referenced: set[TableName] = set()
        self._provable: collections.deque[tuple[Position, TableName, int]] = collections.deque(maxlen=_CANDIDATES)
        """Positions, each with a row that is visible when all transactions up to there are."""
        self._sure: Position | None = None
        """The end of the transactions before these, which changed nothing that is read here."""
        self._in_doubt = False
        """Whether transactions after these changed something, and no row can prove them."""

    def before_snapshot(self) -> None:
        """Find the proven position."""
        with self._explained():
            self._check_server()
            self._plan()
            if self._is_mariadb:
                self._proven = self._position_of_a_snapshot()
                return
            start = Position(self._file, 4, 0)
            self._read_since_last(otherwise=start)
            self._proven = self._locked() or self._last or start

    def after_snapshot(self) -> Changes:
        """Read the log to its end, and return what it names."""
        position, keys = "", None
        if self._proven:
            with self._explained():
                if self._end:
                    self._read(self._end)
                else:
                    self._read_since_last(otherwise=self._proven)
                self._follow_foreign_keys()
                position = f"{self._server} {self._stamped(self._proven)}"
                if self._last and self._everything:
                    self._why_not = f"the binary log holds {self._everything}"
                elif self._last:
                    keys = {table: keys for (database, table), keys in self._keys.items() if database == self._database}
        return Changes(self._since, position, self._why_not, keys)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except LogUnreadable as error:
            self._why_not, self._proven = self._why_not or str(error), None
        except pymysql.Error as error:
            reason = f"MySQL refused a question about its binary log (error {error.args[0] if error.args else '?'})"
            self._why_not, self._proven = self._why_not or reason, None

    # the server

    def _check_server(self) -> None:
        """Raises ``LogUnreadable`` if the log may leave out changes, or if that cannot be known."""
        if not self._settings.binlog:
            raise LogUnreadable("")
        names = ", ".join(f"'{name}'" for name in _VARIABLES)
        known = {name.lower(): value for name, value in self._run(f"SHOW VARIABLES WHERE variable_name IN ({names})")}
        ((version, self._database),) = self._run("SELECT version(), database()")
        self._is_mariadb = "mariadb" in version.lower()
        self._lower = known.get("lower_case_table_names") == "1"
        if self._lower:
            self._database = self._database.lower()
        if known.get("log_bin") != "ON":
            raise LogUnreadable("MySQL writes no binary log (log_bin)")
        if known.get("lower_case_table_names") == "2":
            raise LogUnreadable("its names keep their capitals and are compared without (lower_case_table_names = 2)")
        if known.get("binlog_order_commits", "ON") != "ON":
            raise LogUnreadable("transactions become visible in another order than logged (binlog_order_commits)")
        self._file, _, only, without = self._status("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS")[0][:4]
        if only or without:
            raise LogUnreadable("MySQL does not log every database (binlog_do_db, binlog_ignore_db)")
        if known.get("log_slave_updates", known.get("log_replica_updates")) == "OFF" and self._status(
            "SHOW SLAVE STATUS"
        ):
            raise LogUnreadable("MySQL is a replica and does not log what it replicates (log_slave_updates)")
        self._server = next(known[name] for name in ("server_uuid", "server_uid", "server_id") if known.get(name))
        server, _, position = self._since.partition(" ")
        if position and server != self._server:
            self._why_not = "another MySQL server answers than at the last landing"
        elif position:
            self._last = Position.parse(position)

    def _status(self, *statements: str) -> tuple[tuple[Any, ...], ...]:
        for statement in statements:
            try:
                return self._run(statement)
            except pymysql.Error as error:
                if error.args[0] == ER.PARSE_ERROR and statement != statements[-1]:
                    continue
                user = self._settings.mysql["user"]
                raise LogUnreadable(
                    f"user '{user}' may not see where the binary log stands: GRANT REPLICATION SLAVE, REPLICATION"
                    f" CLIENT{', SLAVE MONITOR' if self._is_mariadb else ''} ON *.* there, or set INGEST_BINLOG=false"
                ) from None
        raise AssertionError

    def _plan(self) -> None:
        """The key columns, and the tables whose changes the log does not tell."""
        self._links = self._run(_FOREIGN_KEYS)
        self._referenced = {(database, table) for _, database, table in self._links}
        for table in catalog.tables(self._run):
            name = (self._database, table.name)
            if not table.is_logged:
                self._keys[name] = None
                self._unlogged.add(name)
                continue
            for index, column in enumerate(table.columns):
                if column.key_position == 1 and column.data_type in _WHOLE_NUMBERS:
                    self._columns[name] = column
                    self._key_columns[name] = KeyColumn(index, "unsigned" in column.column_type.lower())

    # the proof

    def _position_of_a_snapshot(self) -> Position:
        self._run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        self._run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        found = {name.lower(): value for name, value in self._run("SHOW STATUS LIKE 'binlog_snapshot_%'")}
        self._run("ROLLBACK")
        return Position(found["binlog_snapshot_file"], int(found["binlog_snapshot_position"]), 0)

    def _locked(self) -> Position | None:
        """The end of the last transaction that is visible for certain; None if none of the last ones is."""
        self._run("SET SESSION innodb_lock_wait_timeout = 1")
        for end, (database, table), key in reversed(self._provable):
            where = f"{quote_mysql(database)}.{quote_mysql(table)}"
            column = quote_mysql(self._columns[database, table].name)
            try:
                self._run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                self._run(f"SELECT COUNT(*) FROM {where} WHERE {column} = {key} LOCK IN SHARE MODE")
                return end
            except pymysql.Error as error:
                if error.args[0] not in (ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK, ER.NO_SUCH_TABLE):
                    raise
        return self._sure

    def _judge(self, transaction: Transaction) -> None:
        """Take note of a row that can prove a transaction, or of a transaction that needs no proof.

        A change of a definition needs none: the snapshot is opened after the definitions were asked for, and that waits
        until it is done. Tables without transactions need none: they change before the log tells.
        """
        changed = {table for table in transaction.keys if table[0] == self._database or table in self._referenced}
        for table in changed & self._columns.keys():
            if keys := transaction.keys[table]:
                self._provable.append((transaction.end, table, min(keys)))
                self._in_doubt = False
                return
        if not (
            changed - self._unlogged
            or transaction.everything
            and not binlog.DEFINES.match(transaction.everything.removeprefix("a statement: "))
        ):
            if not self._in_doubt and self._provable:
                _, name, key = self._provable.pop()
                self._provable.append((transaction.end, name, key))
            elif not self._in_doubt:
                self._sure = transaction.end
        else:
            self._in_doubt = True

    # the log

    def _read_since_last(self, otherwise: Position) -> None:
        """Read from the last landing on. If the log does not reach back so far, say why, and read from another one."""
        if self._last:
            try:
                self._read(self._last)
            except LogUnreadable as error:
                self._why_not, self._last = str(error), None
        if not self._last:
            self._read(otherwise, sample=True)

    def _read(self, start: Position, sample: bool = False) -> None:
        """Read from here to the end, and take note of what is named."""
        login, number = self._settings.mysql, self._settings.replication_id
        for transaction in binlog.read(
            login,
            self._key_columns,
            start,
            number,
            sample=sample,
            most_keys=MOST_KEYS,
            database=self._database,
        ):
            assert transaction
            self._end = transaction.end
            self._stamps[self._end.file] = self._end.made_at
            self._everything = self._everything or transaction.everything
            self._parents |= transaction.parents
            self._judge(transaction)
            for name, keys in transaction.keys.items():
                known = self._keys.get(name, set())
                both = None if keys is None or known is None else known | keys
                self._keys[name] = both if both is None or len(both) <= MOST_KEYS else None

    def _stamped(self, position: Position) -> Position:
        if made_at := position.made_at or self._stamps.get(position.file):
            return dataclasses.replace(position, made_at=made_at)
        return binlog.position_at(self._settings.mysql, position.file, position.offset, self._settings.replication_id)

    def _follow_foreign_keys(self) -> None:
        """Rows that a foreign key deletes or changes in other tables are not in the log: read these tables whole."""
        parents, asked = set(self._parents), set[str]()
        while asked < (found := {child for child, *parent in self._links if tuple(parent) in parents}):
            for child in found - asked:
                asked.add(child)
                if _CASCADES.search(self._run(f"SHOW CREATE TABLE {quote_mysql(child)}")[0][1]):
                    self._keys[self._database, child] = None
                    parents.add((self._database, child))
