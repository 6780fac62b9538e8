"""MySQL's binary log as a signal: which keys of which tables a transaction changed, and where it ends.

No value is taken from it but whole numbers that are keys. All else is passed over by its length. If it is in doubt
which rows changed, a table has no keys (None). If it is in doubt which tables changed, a transaction says so
(``everything``). The layout of events is in MySQL's and MariaDB's manuals ("Binary Log Event").
"""

import contextlib
import dataclasses
import re
import struct
import threading
import time
import zlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pymysql
import pymysql.constants.ER as ER

from landing.mysql import packets, rows

TableName = tuple[str, str]
"""Database and table, as the log writes them."""

_PATIENCE = 30
"""Seconds without a byte after which the server counts as lost. With ``wait`` it sends a heartbeat each second."""
_LOOK_AGAIN = 60
"""Seconds without a transaction after which the log is opened anew. MySQL 5.6 stays with a file that was reset."""
_SESSION = (  # time for a reader that is busy; all events as they are; heartbeats each second (in nanoseconds)
    "SET net_write_timeout = 3600, @mariadb_slave_capability = 4,"
    " @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32',"
    " @master_heartbeat_period = 1000000000, @source_heartbeat_period = 1000000000"
)
_MARIADB = b"MariaDB"  # in the version of the server
_HEADER = 19  # bytes: time, 4; type, 1; server, 4; length, 4; end in the file, 4; flags, 2
_ARTIFICIAL = 0x20  # a flag: made for this reader, not in the log
_NO_TABLE = b"\xff\xff\xff\0\0\0"  # in an event without rows, which ends a statement
_QUERY, _ROTATE, _FORMAT, _XID, _TABLE_MAP, _HEARTBEAT, _XA_PREPARE, _MARIADB_GTID = 2, 4, 15, 16, 19, 27, 38, 162
_WRITES, _UPDATES, _DELETES = {23, 30, 166, 169}, {24, 31, 39, 167, 170}, {25, 32, 168, 171}
_ROWS, _SECOND_VERSION, _PARTIAL = _WRITES | _UPDATES | _DELETES, {30, 31, 32}, 39
_COMPRESSED, _COMPRESSED_QUERY = {166, 167, 168, 169, 170, 171}, 165
_SILENT = {3, 5, 13, 14, 28, 29, 33, 34, 35, 36, 37, 42, 160, 161, 163, 164}
"""Change no row: stop, variables of the next statement, its text, ids of transactions, checkpoints, encryption."""

_GAP_PATTERN = rb"(?:[\s;\0]|/\*M?!\d*|\*/|/\*(?!M?!)(?:[^*]|\*(?!/))*\*/|(?:--(?=\s)|#)[^\n]*(?:\n|\Z))*"
_GAP, _WORD = re.compile(_GAP_PATTERN), re.compile(_GAP_PATTERN + rb"([A-Za-z_]+)")
"""Comments; the text in ``/*! */`` is none."""
DEFINES = re.compile(r"(CREATE|ALTER|DROP|TRUNCATE|RENAME)\b")
_TEMPORARY = re.compile("CREATE (OR REPLACE )?TEMPORARY")
_QUIET = re.compile(
    r"(SAVEPOINT|ROLLBACK TO|RELEASE SAVEPOINT|GRANT|REVOKE|FLUSH|SET (PASSWORD|DEFAULT ROLE)|XA END"
    r"|(CREATE|CREATE OR REPLACE|ALTER|DROP|RENAME) (USER|ROLE)|(ANALYZE|OPTIMIZE) TABLE"
    r"|(CREATE|CREATE OR REPLACE|DROP) TEMPORARY|CREATE (DATABASE|SCHEMA))\b"
)
"""First words of statements that change no row of a table."""
_SAFE_TO_SAY = re.compile(
    r"\w+( (TABLE|INTO|FROM|DATABASE|SCHEMA|INDEX|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|DATA|COMMIT|ROLLBACK)\b)?"
)
_OF_THE_CONNECTION = {0, 1040, 1053, 1203, 1226, 1927, 2003, 2006, 2013}
_TOO_LONG = "the binary log {} is over 4 GB, beyond which a position cannot be told. Set max_binlog_size to 1G at most"
_LOST = "it was purged or reset, or this is another server. Keep logs for longer than from one landing to the next"


class LogUnreadable(Exception):
    """The log cannot be used. The message says why and what to do, in one line."""


class ConnectionLost(LogUnreadable):
    """The server or the network went away. The position is as good as before."""


@dataclasses.dataclass(frozen=True)
class Position:
    """The end of a transaction in the log."""

    file: str
    offset: int
    made_at: int
    """Time stamp of the file's format event. It tells the file from another one under its name."""

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}:{self.made_at}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        file, offset, made_at = text.rsplit(":", 2)
        return cls(file, int(offset), int(made_at))

    def is_before(self, other: "Position") -> bool:
        """Of two positions of one server."""
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, int]:
        return int(self.file.rpartition(".")[2]), self.offset


@dataclasses.dataclass(frozen=True)
class KeyColumn:
    """A table's first key column: a whole number."""

    index: int
    """From 0, among the table's columns in the log."""
    unsigned: bool


@dataclasses.dataclass
class Transaction:
    """What one transaction changed. A statement without a transaction is one of its own."""

    end: Position
    keys: dict[TableName, set[int] | None]
    """Values of the key column before and after. None: rows changed, and which ones cannot be told."""
    parents: set[TableName]
    """Tables with rows updated or deleted. Their foreign keys may have changed other tables; the log is silent then."""
    everything: str = ""
    """Why any table may have changed, such as ``a statement: ALTER TABLE``; else empty."""


def read(
    login: dict[str, Any],
    key_columns: Mapping[TableName, KeyColumn],
    start: Position,
    replication_id: int,
    *,
    wait: bool = False,
    sample: bool = False,
    most_keys: int = 100_000,
    database: str = "",
    aborted: threading.Event | None = None,
) -> Iterator[Transaction | None]:
    """The transactions after ``start``, as they arrive.

    Ends at the end of the log. With ``wait`` it goes on, and yields None about each second without a transaction.

    Args:
        login: arguments of ``pymysql.connect``. The account needs REPLICATION SLAVE.
        key_columns: the tables whose keys are wanted. All others have no keys (None).
        start: with offset 4 and ``made_at`` 0, the beginning of a file, whatever its stamp.
        replication_id: of this reader alone among all readers and replicas of the server.
        sample: take keys of the first row of each event only.
        most_keys: of a table in one transaction. With more it has none (None).
        database: changed definitions are passed over if neither their session nor their text is about it.

    Raises:
        LogUnreadable: also for another file under the name of ``start``, and once ``aborted`` is set.
    """
    log = _Log(key_columns, start, sample, most_keys, database)
    spoken = opened = time.monotonic()
    while True:
        with contextlib.closing(_events(login, log.start, replication_id, wait)) as events:
            for event in events:
                if aborted and aborted.is_set():
                    raise LogUnreadable("reading the binary log was stopped")
                transaction = log.take(event) if event else None
                now = time.monotonic()
                if transaction or wait and now > spoken + 0.5:  # also at a heartbeat
                    yield transaction
                    spoken = time.monotonic()
                if transaction:
                    opened = spoken
                elif wait and now > opened + _LOOK_AGAIN and log.go_on_from_here():
                    opened = now
                    break
            else:
                return


def position_at(login: dict[str, Any], file: str, offset: int, replication_id: int) -> Position:
    """The position with the stamp of its file. Raises ``LogUnreadable`` if the log does not have it."""
    with contextlib.closing(_events(login, Position(file, offset, 0), replication_id, wait=False)) as events:
        for event in events:
            if event and event[4] == _FORMAT:
                return Position(file, offset, _stamp(event))
    raise LogUnreadable(f"the binary log {file} has no beginning")


class _Log:
    """Gathers events into transactions."""

    def __init__(
        self, key_columns: Mapping[TableName, KeyColumn], start: Position, sample: bool, most_keys: int, database: str
    ):
        self.start = start
        self._database = database.lower().encode() if re.fullmatch("[a-zA-Z0-9_]+", database) else b""
        self._file, self._offset, self._made_at = start.file, start.offset, 0
        self._key_columns, self._sample, self._most_keys = key_columns, sample, most_keys
        self._checksum = 0  # bytes at the end of each event
        self._of_mariadb = False
        self._inside = False  # of a transaction, whose end is still to come
        self._tables: dict[bytes, _Table] = {}  # by the server's number of them
        self._known: dict[bytes, _Table] = {}  # by their map events
        self._keys: dict[TableName, set[int] | None] = {}
        self._parents: set[TableName] = set()
        self._everything = ""

    def take(self, event: bytes) -> Transaction | None:
        """The transaction that ends with this event, if one does."""
        kind, (end, flags) = event[4], struct.unpack_from("<IH", event, 13)
        if kind == _ROTATE:
            self._begin_file(event)
        elif kind == _FORMAT:
            self._learn_format(event)
        if kind in (_ROTATE, _FORMAT, _HEARTBEAT):
            return None
        if end and not flags & _ARTIFICIAL:
            if end < self._offset:
                raise LogUnreadable(_TOO_LONG.format(self._file))
            self._offset = end
        body = event[_HEADER : len(event) - self._checksum]
        if kind in _ROWS:
            self._rows(kind, body)
        elif kind == _TABLE_MAP:
            self._map(body)
        elif kind in (_XID, _XA_PREPARE):
            return self._finish()
        elif kind == _MARIADB_GTID:
            self._inside = not body[12] & 1  # 1: a statement follows, and no end after it
        elif kind in (_QUERY, _COMPRESSED_QUERY):
            return self._statement(body, kind == _COMPRESSED_QUERY)
        elif kind not in _SILENT:
            return self._doubt(f"an event of type {kind}")
        return None

    def go_on_from_here(self) -> bool:
        """Start here when the log is opened anew. False in the middle of a transaction."""
        if self._inside or self._keys or self._everything:
            return False
        self.start = self._position()
        return True

    def _position(self) -> Position:
        return Position(self._file, self._offset, self._made_at)

    def _begin_file(self, event: bytes) -> None:
        """Whether a rotate event has a checksum is not known before the file's format: try."""
        if zlib.crc32(event[:-4]) == int.from_bytes(event[-4:], "little"):
            event = event[:-4]
        self._offset = int.from_bytes(event[_HEADER : _HEADER + 8], "little")
        self._file = event[_HEADER + 8 :].decode()

    def _learn_format(self, event: bytes) -> None:
        """Take whether events have checksums from the file: what the server was asked for says nothing about it."""
        self._made_at = _stamp(event)
        if self._file == self.start.file and self.start.made_at not in (0, self._made_at):
            raise LogUnreadable(f"the binary log {self._file} is another one than at the last landing: {_LOST}")
        self._of_mariadb = _MARIADB in event[_HEADER : _HEADER + 52]
        described = _HEADER + event[_HEADER + 56 + _FORMAT]  # its own length, as it says among those of all types
        self._checksum = 4 if len(event) == described + 5 and event[described] == 1 else 0

    def _map(self, body: bytes) -> None:
        """Which table the next rows are of. The server sends this before each statement's rows."""
        if len(self._known) > 1000:
            self._known.clear()
        number, described = body[:6], body[8:]
        if described not in self._known:
            self._known[described] = _Table(described, self._key_columns, self._of_mariadb)
        self._tables[number] = self._known[described]

    def _rows(self, kind: int, body: bytes) -> None:
        table = self._tables.get(body[:6])
        if not table:
            if body[:6] != _NO_TABLE:
                self._everything = self._everything or "rows of a table without a name"
            return
        if kind not in _WRITES:
            self._parents.add(table.name)
        keys = self._keys.setdefault(table.name, set())
        if keys is None:
            return
        after_header = 8 + int.from_bytes(body[8:10], "little") if kind in _SECOND_VERSION else 8
        try:
            if not table.layout or kind == _PARTIAL:
                raise rows.NotTold
            images = 2 if kind in _UPDATES else 1
            keys |= table.layout.keys(body[after_header:], images, kind in _COMPRESSED, self._sample)
            if len(keys) > self._most_keys:
                raise rows.NotTold
        except (rows.NotTold, IndexError):
            self._keys[table.name] = None

    def _statement(self, body: bytes, compressed: bool) -> Transaction | None:
        """A transaction's bounds, a statement that changes no row, or one that may have changed any table."""
        text = body[14 + body[8] + int.from_bytes(body[11:13], "little") :]
        try:
            text = rows.decompress(text) if compressed else text
        except rows.NotTold:
            return self._doubt("a statement")
        words, is_all = _first_words(text)
        if is_all and words in ("COMMIT", "ROLLBACK"):
            return self._finish()
        if is_all and words == "BEGIN" or words.startswith("XA START"):
            self._inside = True
            return None
        with_select = _TEMPORARY.match(words) and b"select" in text.lower()  # of a function that may change any table
        if _QUIET.match(words) and not with_select or is_all and not words or self._is_elsewhere(body, text, words):
            return None if self._inside else self._finish()
        if words.startswith(("XA COMMIT", "XA ROLLBACK")):  # of rows that came long ago
            self._inside = False
        said = _SAFE_TO_SAY.match(words)
        return self._doubt(f"a statement: {said[0]}" if said else "a statement")

    def _is_elsewhere(self, body: bytes, text: bytes, words: str) -> bool:
        """Whether the statement changes a definition, and only in other databases. A SELECT could call a function."""
        after = 13 + int.from_bytes(body[11:13], "little")
        said = body[after : after + body[8]].lower() + b" " + text.lower()
        defines = bool(DEFINES.match(words)) and b"select" not in said
        return bool(self._database) and defines and self._database not in said

    def _doubt(self, reason: str) -> Transaction | None:
        self._everything = self._everything or reason
        return None if self._inside else self._finish()

    def _finish(self) -> Transaction:
        transaction = Transaction(self._position(), self._keys, self._parents, self._everything)
        self._inside, self._keys, self._parents, self._everything = False, {}, set(), ""
        self._tables.clear()
        return transaction


class _Table:
    """A table as its map event describes it."""

    def __init__(self, described: bytes, key_columns: Mapping[TableName, KeyColumn], of_mariadb: bool):
        database, at = _text(described, 0)
        name, at = _text(described, at)
        self.name = (database, name)
        self.layout: rows.RowLayout | None = None
        if key := key_columns.get(self.name):
            columns, at = rows.number(described, at)
            _, after_length = rows.number(described, at + columns)
            types, metadata = described[at : at + columns], described[after_length:]
            with contextlib.suppress(rows.NotTold):
                self.layout = rows.RowLayout(types, metadata, key.index, key.unsigned, of_mariadb)


def _stamp(event: bytes) -> int:
    return int.from_bytes(event[:4], "little")


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A text with its length before and a zero after it, and the place after that."""
    end = at + 1 + data[at]
    return data[at + 1 : end].decode(), end + 1


def _first_words(text: bytes) -> tuple[str, bool]:
    """The first four words of a statement at most, without comments, and whether these are all of it."""
    words: list[str] = []
    at = 0
    while len(words) < 4 and (word := _WORD.match(text, at)):
        words.append(word[1].decode().upper())
        at = word.end()
    return " ".join(words), bool(_GAP.fullmatch(text, at))


def _events(
    login: dict[str, Any], start: Position, replication_id: int, wait: bool
) -> Generator[bytes | None, None, None]:
    """The events from a position on. Raises ``LogUnreadable``."""
    connection = None
    if start.offset >= 1 << 32:  # the command has 32 bits for it
        raise LogUnreadable(_TOO_LONG.format(start.file))
    try:
        connection = pymysql.connect(**login | {"database": None}, connect_timeout=10, read_timeout=_PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
        yield from packets.events_of(connection, start.file, start.offset, replication_id, wait, _PATIENCE)
    except (pymysql.Error, OSError) as error:
        raise _explain(error, login["user"], start, replication_id) from None
    finally:
        if connection and connection.open:
            connection.close()


def _explain(error: Exception, user: str, start: Position, replication_id: int) -> LogUnreadable:
    """The server's error in words, and its remedy. What it says of its log quotes no row."""
    code, said = (*error.args, 0, "")[:2] if isinstance(error, pymysql.Error) else (0, "")
    if code in _OF_THE_CONNECTION:
        return ConnectionLost(f"the connection for the binary log was lost or refused ({code or type(error).__name__})")
    if code == ER.SPECIFIC_ACCESS_DENIED_ERROR:
        reason = f"user '{user}' may not read the binary log. GRANT REPLICATION SLAVE ON *.* TO it"
    elif "same server_uuid/server_id" in str(said):
        reason = f"another reader of the binary log has the replication id {replication_id}. Give each its own"
    elif "not open" in str(said):
        reason = "the server writes no binary log. Set log_bin there, and binlog_format=ROW"
    elif code == ER.MASTER_FATAL_ERROR_READING_BINLOG:
        reason = f"{start.file}:{start.offset} is not in the binary log ({str(said).partition(';')[0]}): {_LOST}"
    else:
        name = next((name for name, number in vars(ER).items() if number == code), "its manual explains it")
        reason = f"reading the binary log stopped with error {code} ({name})"
    return LogUnreadable(reason)
