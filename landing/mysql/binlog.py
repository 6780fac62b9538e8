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

from landing.mysql import packets

TableName = tuple[str, str]
"""Database and table, as the log writes them."""

_PATIENCE = 30
"""Seconds without a byte after which the server counts as lost. With ``wait`` it sends a heartbeat each second."""
_HEADER = 19
_LONGEST_FILE = 1 << 32  # the command and the events have 32 bits for a position
_QUERY, _ROTATE, _FORMAT, _XID, _TABLE_MAP, _HEARTBEAT, _XA_PREPARE, _PARTIAL_UPDATE = 2, 4, 15, 16, 19, 27, 38, 39
_MARIADB_GTID, _COMPRESSED_QUERY = 162, 165
_WRITES = {23, 30, 166, 169}
_UPDATES = {24, 31, 39, 167, 170}
_DELETES = {25, 32, 168, 171}
_SECOND_VERSION = {30, 31, 32, 39}
_COMPRESSED = {166, 167, 168, 169, 170, 171}
_SILENT = {3, 5, 13, 14, 28, 29, 33, 34, 35, 36, 37, 42, 160, 161, 163, 164}
"""Change no row: stop, variables of the next statement, its text, ids of transactions, checkpoints, encryption."""
_TOO_LONG = "the binary log {} is over 4 GB, beyond which a position cannot be told. Set max_binlog_size to 1G at most"
_SESSION = (
    "SET net_write_timeout = 3600, @mariadb_slave_capability = 4,"
    " @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32',"
    " @master_heartbeat_period = 1000000000, @source_heartbeat_period = 1000000000"
)

_WHOLE_NUMBERS = {1: 1, 2: 2, 3: 4, 8: 8, 9: 3}
_FIXED = _WHOLE_NUMBERS | {6: 0, 7: 4, 10: 3, 11: 3, 12: 8, 13: 1, 14: 3}
"""Bytes of a value by the number of its type: null, timestamp, date, time and datetime of old, year."""
_FLOATS = {4: 4, 5: 8}
_FRACTIONS = {17: 4, 18: 5, 19: 3}
"""Timestamp, datetime and time since 5.6: the bytes before the fraction of a second."""
_TEXTS = {15, 141}
_BLOBS = {140, 245, 252, 255}
_BIT, _DECIMAL, _STRING, _ENUM, _SET = 16, 246, 254, 247, 248
_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
"""Bytes of so many decimal digits."""

_GAP_PATTERN = rb"(?:[\s;\0]|/\*M?!\d*|\*/|/\*(?!M?!)(?:[^*]|\*(?!/))*\*/|(?:--(?=\s)|#)[^\n]*(?:\n|\Z))*"
_GAP, _WORD = re.compile(_GAP_PATTERN), re.compile(_GAP_PATTERN + rb"([A-Za-z_]+)")
"""Comments; what is in ``/*! */`` is none."""
_QUIET = re.compile(
    r"(SAVEPOINT|ROLLBACK TO|RELEASE SAVEPOINT|GRANT|REVOKE|FLUSH|SET (PASSWORD|DEFAULT)|XA (START|BEGIN|END)"
    r"|(CREATE|CREATE OR REPLACE|ALTER|DROP|RENAME) (USER|ROLE)|(ANALYZE|OPTIMIZE) TABLE|DROP TEMPORARY)\b"
)
"""First words of statements that change no row of a table."""
_SAFE_TO_SAY = re.compile(
    r"\w+( (TABLE|INTO|FROM|DATABASE|SCHEMA|INDEX|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|DATA|COMMIT|ROLLBACK)\b)?"
)


class LogUnreadable(Exception):
    """The log cannot be used. The message says why and what to do, in one line."""


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

    Raises:
        LogUnreadable: also for another file under the name of ``start``, and once ``aborted`` is set.
    """
    log = _Log(key_columns, start, sample, most_keys)
    spoken = time.monotonic()
    for event in _events(login, start, replication_id, wait):
        if aborted and aborted.is_set():
            raise LogUnreadable("reading the binary log was stopped")
        transaction = log.take(event) if event else None
        now = time.monotonic()
        if transaction or wait and (not event or event[4] == _HEARTBEAT or now > spoken + 1):
            yield transaction
            spoken = time.monotonic()


def position_at(login: dict[str, Any], file: str, offset: int, replication_id: int) -> Position:
    """The position with the stamp of its file. Raises ``LogUnreadable`` if the log does not have it."""
    log = _Log({}, Position(file, offset, 0), False, 0)
    with contextlib.closing(_events(login, Position(file, offset, 0), replication_id, wait=False)) as events:
        for event in events:
            log.take(event or b"")
            if log.made_at:
                return Position(file, offset, log.made_at)
    raise LogUnreadable(f"the binary log {file} has no beginning")


class _Table:
    """A table as its map event describes it, and the way from one row to the next."""

    def __init__(self, body: bytes, key_columns: Mapping[TableName, KeyColumn]):
        at = 9 + body[8]
        database = body[9:at].decode()
        table = body[at + 2 : at + 2 + body[at + 1]].decode()
        columns, at = _number(body, at + 3 + body[at + 1])
        self.name = (database, table)
        self.key = key_columns.get(self.name)
        self._paths: dict[tuple[bytes, bytes], list[int]] = {}
        if not self.key:
            return
        types = body[at : at + columns]
        _, at = _number(body, at + columns)
        try:
            self._sizes = list(_sizes(types, body[at:]))
            self._key_size = _WHOLE_NUMBERS[types[self.key.index]]
        except (LookupError, _NotTold):
            self.key = None

    def keys(self, body: bytes, at: int, images: int, compressed: bool, sample: bool) -> set[int]:
        """The keys of a rows event, from its number of columns on. Raises ``_NotTold``."""
        assert self.key
        columns, at = _number(body, at)
        width = (columns + 7) // 8
        sent = [body[at + n * width : at + (n + 1) * width] for n in range(images)]
        at += images * width
        if not _has(sent[0], self.key.index):  # an INSERT that leaves it to its default
            raise _NotTold
        if compressed:
            body, at = _decompress(body[at:]), 0
        widths = [(bin(int.from_bytes(columns, "little")).count("1") + 7) // 8 for columns in sent]
        both = list(zip(sent, widths, strict=True))
        found: set[int] = set()
        size, signed, end = self._key_size, not self.key.unsigned, len(body)
        while at < end:
            for columns_sent, null_bytes in both:
                nulls = body[at : at + null_bytes]
                at += null_bytes
                for step in self._paths.get((columns_sent, nulls)) or self._path(columns_sent, nulls):
                    if step > 0:
                        at += step
                    elif step:
                        at += int.from_bytes(body[at : at - step], "little") - step
                    else:
                        found.add(int.from_bytes(body[at : at + size], "little", signed=signed))
            if sample:
                return found
        if at != end:
            raise _NotTold
        return found

    def _path(self, columns: bytes, nulls: bytes) -> list[int]:
        """The steps through a row image: bytes to pass, 0 at the key, or negative the bytes of a length to read."""
        assert self.key
        path: list[int] = []
        place = 0
        for index, size in enumerate(self._sizes):
            if not _has(columns, index):
                continue
            is_null = _has(nulls, place)
            place += 1
            if index == self.key.index:
                if is_null:
                    raise _NotTold
                path += [0, size]
            elif size and not is_null:
                if size > 0 and path and path[-1] > 0:
                    path[-1] += size
                else:
                    path.append(size)
        if len(self._paths) > 1000:
            self._paths.clear()
        self._paths[columns, nulls] = path
        return path


class _NotTold(Exception):
    """Which rows changed cannot be told from an event."""


class _Log:
    """Gathers events into transactions."""

    def __init__(self, key_columns: Mapping[TableName, KeyColumn], start: Position, sample: bool, most_keys: int):
        self.made_at = 0
        self._start, self._file, self._offset = start, start.file, start.offset
        self._key_columns, self._sample, self._most_keys = key_columns, sample, most_keys
        self._checksum = 0  # bytes at the end of each event
        self._inside = False  # of a transaction, which ends later
        self._tables: dict[bytes, _Table] = {}  # by the number that the server gave them
        self._known: dict[bytes, _Table] = {}  # by their map events
        self._keys: dict[TableName, set[int] | None] = {}
        self._parents: set[TableName] = set()
        self._everything = ""

    def take(self, event: bytes) -> Transaction | None:
        """The transaction that ends with this event, if one does."""
        if not event or event[4] == _HEARTBEAT:
            return None
        kind, (end, flags) = event[4], struct.unpack_from("<IH", event, 13)
        if kind == _ROTATE:
            self._rotate(event)
            return None
        if kind == _FORMAT:
            self._begin_file(event)
            return None
        if end and not flags & 0x20:  # made for this reader, it is not in the log
            if end < self._offset:
                raise LogUnreadable(_TOO_LONG.format(self._file))
            self._offset = end
        body = event[_HEADER : len(event) - self._checksum]
        if kind == _TABLE_MAP:
            self._map(body)
        elif kind in _WRITES or kind in _UPDATES or kind in _DELETES:
            self._rows(kind, body)
        elif kind in (_QUERY, _COMPRESSED_QUERY):
            return self._query(body, kind == _COMPRESSED_QUERY)
        elif kind in (_XID, _XA_PREPARE):
            return self._finish()
        elif kind == _MARIADB_GTID:
            self._inside = not body[12] & 1  # "standalone": one statement, no end follows
        elif kind not in _SILENT:
            return self._doubt(f"an event of type {kind}")
        return None

    def _finish(self) -> Transaction:
        end = Position(self._file, self._offset, self.made_at)
        transaction = Transaction(end, self._keys, self._parents, self._everything)
        self._inside, self._keys, self._parents, self._everything = False, {}, set(), ""
        return transaction

    def _doubt(self, reason: str) -> Transaction | None:
        self._everything = self._everything or reason
        return None if self._inside else self._finish()

    def _rotate(self, event: bytes) -> None:
        """Another file. Whether this event has a checksum is not said before the file's first event: try."""
        if zlib.crc32(event[:-4]) == int.from_bytes(event[-4:], "little"):
            event = event[:-4]
        self._offset, self._file = int.from_bytes(event[_HEADER : _HEADER + 8], "little"), event[_HEADER + 8 :].decode()

    def _begin_file(self, event: bytes) -> None:
        self.made_at = int.from_bytes(event[:4], "little")
        if self._start.made_at not in (0, self.made_at) and self._file == self._start.file:
            raise LogUnreadable(
                f"the binary log {self._file} is not the one of the last landing: the logs were reset, or this is"
                " another server"
            )
        described = _HEADER + event[_HEADER + 56 + _FORMAT]  # its own length, among those of all types
        self._checksum = 4 if len(event) - described == 5 and event[described] == 1 else 0

    def _map(self, body: bytes) -> None:
        table = self._known.get(body[6:])
        if not table:
            if len(self._known) > 1000:
                self._known.clear()
                self._tables.clear()
            table = self._known[body[6:]] = _Table(body, self._key_columns)
        self._tables[body[:6]] = table

    def _rows(self, kind: int, body: bytes) -> None:
        table = self._tables.get(body[:6])
        if not table:
            if body[:6] != b"\xff\xff\xff\0\0\0":  # marks the end of a statement
                self._everything = self._everything or "rows of a table without a name"
            return
        if kind not in _WRITES:
            self._parents.add(table.name)
        keys = self._keys.setdefault(table.name, set())
        if keys is None:
            return
        at = 8 + int.from_bytes(body[8:10], "little") if kind in _SECOND_VERSION else 8
        try:
            if not table.key or kind == _PARTIAL_UPDATE:
                raise _NotTold
            keys |= table.keys(body, at, 2 if kind in _UPDATES else 1, kind in _COMPRESSED, self._sample)
            if len(keys) > self._most_keys:
                raise _NotTold
        except (_NotTold, IndexError, zlib.error):
            self._keys[table.name] = None

    def _query(self, body: bytes, compressed: bool) -> Transaction | None:
        """A statement: a transaction's bounds, one that changes no row, or one that may have changed any table."""
        try:
            text = body[14 + body[8] + int.from_bytes(body[11:13], "little") :]
            words, rest = _first_words(_decompress(text) if compressed else text)
        except _NotTold:
            return self._doubt("a statement")
        if not rest and words in ("COMMIT", "ROLLBACK"):
            return self._finish()
        if words.startswith(("XA COMMIT", "XA ROLLBACK")):  # of rows that came long ago
            self._inside = False
        elif not rest and words == "BEGIN" or words.startswith(("XA START", "XA BEGIN")):
            self._inside = True
            return None
        elif not (words or rest) or _QUIET.match(words) or _makes_temporary(words, text):
            return None if self._inside else self._finish()
        said = _SAFE_TO_SAY.match(words)
        return self._doubt(f"a statement: {said[0]}" if said else "a statement")


def _first_words(text: bytes) -> tuple[str, bool]:
    """The first four words of a statement at most, without comments, and whether more follows."""
    words: list[str] = []
    at = 0
    while len(words) < 4 and (word := _WORD.match(text, at)):
        words.append(word[1].decode().upper())
        at = word.end()
    return " ".join(words), not _GAP.fullmatch(text, at)


def _makes_temporary(words: str, text: bytes) -> bool:
    """A SELECT in it may call a function that changes other tables."""
    return bool(re.match("CREATE (OR REPLACE )?TEMPORARY", words)) and b"select" not in text.lower()


def _number(body: bytes, at: int) -> tuple[int, int]:
    """A number of the protocol, which has its own length in front, and the place behind it."""
    size = {252: 2, 253: 3, 254: 8}.get(body[at])
    if not size:
        return body[at], at + 1
    return int.from_bytes(body[at + 1 : at + 1 + size], "little"), at + 1 + size


def _has(bits: bytes, place: int) -> bool:
    return bool(bits[place >> 3] >> (place & 7) & 1)


def _decompress(body: bytes) -> bytes:
    """What MariaDB compressed: a byte that tells how (0x80: zlib) and the bytes of a length, which follows."""
    if body[0] & 0xF0 != 0x80:
        raise _NotTold
    try:
        return zlib.decompress(body[1 + (body[0] & 7) :])
    except zlib.error:
        raise _NotTold from None


def _sizes(types: bytes, metadata: bytes) -> Iterator[int]:
    """For each column the bytes of a value; negative, the bytes of the length before it. Raises ``_NotTold``."""
    at = 0
    for kind in types:
        if kind in _FIXED:
            yield _FIXED[kind]
        elif kind in _BLOBS:
            yield -metadata[at]
            at += 1
        elif kind in _FLOATS:
            yield _FLOATS[kind]
            at += 1
        elif kind in _FRACTIONS:
            yield _FRACTIONS[kind] + (metadata[at] + 1) // 2
            at += 1
        elif kind not in (*_TEXTS, _BIT, _DECIMAL, _STRING):
            raise _NotTold
        else:
            yield _size(kind, metadata[at], metadata[at + 1])
            at += 2


def _size(kind: int, first: int, second: int) -> int:
    if kind == _DECIMAL:  # digits, and those of them behind the point
        whole = first - second
        return whole // 9 * 4 + _DIGITS[whole % 9] + second // 9 * 4 + _DIGITS[second % 9]
    if kind == _BIT:  # bits beyond whole bytes, whole bytes
        return second + (first > 0)
    if kind in _TEXTS:
        return -1 if second == 0 else -2
    if first in (_ENUM, _SET):
        return second
    return -2 if first & 0x30 != 0x30 else -1  # two more bits of the length are hidden, inverted, in the type


def _events(
    login: dict[str, Any], start: Position, replication_id: int, wait: bool
) -> Generator[bytes | None, None, None]:
    """The events from a position on. Raises ``LogUnreadable``."""
    connection = None
    if start.offset >= _LONGEST_FILE:
        raise LogUnreadable(_TOO_LONG.format(start.file))
    try:
        connection = pymysql.connect(**login | {"database": None}, connect_timeout=10, read_timeout=_PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
        yield from packets.events_of(connection, start.file, start.offset, replication_id, wait, _PATIENCE)
    except (pymysql.Error, OSError) as error:
        raise LogUnreadable(_explain(error, login["user"], start, replication_id)) from None
    finally:
        if connection and connection.open:
            connection.close()


def _explain(error: Exception, user: str, start: Position, replication_id: int) -> str:
    return repr(error)
