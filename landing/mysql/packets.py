"""The private parts of PyMySQL, all in this file: its packets, its socket, its timeout.

PyMySQL has no public way to read rows without making objects of their values, or to end a read by another thread.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pymysql.constants.COMMAND
import pymysql.err

_READ_AT_ONCE = 1 << 18
_NOT_BLOCKING = 1  # of the dump command: end at the end of the log
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}  # a host that is gone: a minute and a half


class RowsTooLong(Exception):
    """Rows were longer than ``max_allowed_packet``. The argument is their number."""


def keep_alive(connection: Any, read_timeout: int | None) -> None:
    """Notice a lost host. From now on, wait at most ``read_timeout`` seconds for a byte."""
    connection._read_timeout = read_timeout
    for option, value in _KEEPALIVE.items():
        if hasattr(socket, option):
            connection._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def cut(connection: Any) -> None:
    """End a read by another thread."""
    with contextlib.suppress(OSError, AttributeError):  # closed already
        connection._sock.shutdown(socket.SHUT_RDWR)


def rows_of(
    connection: Any, select: str, rows_per_second: int | None, aborted: threading.Event
) -> Iterator[list[bytes]]:
    """The rows of a SELECT of one text column, as bytes, in batches as they arrive.

    Reads the protocol's packets by hand. A row costs a tenth of a cursor's time, and no value is decoded.
    A packet is ``<length, 3 bytes><number, 1 byte><content>``. A row's content is the length of its text, then the
    text. The first byte of a content tells its kind:

    1. Up to 250: the length itself.
    2. 251: NULL.
    3. 252 to 254: a length of 2, 3 or 8 bytes follows.
    4. 254 in a short packet: the end.
    5. 255: an error.

    Raises:
        pymysql.Error: MySQL stopped with an error, or the connection was lost.
        RowsTooLong: some rows were longer than ``max_allowed_packet``. All others were read.
    """
    connection._execute_command(pymysql.constants.COMMAND.COM_QUERY, select)
    columns = connection._read_packet().read_length_encoded_integer()
    for _ in range(columns + 1):  # their descriptions, then a mark that they are complete
        connection._read_packet()
    read, read_whole = connection._rfile.read1, connection._rfile.read
    started, total, overlong = time.monotonic(), 0, 0
    data: bytes = b""
    missing = 0
    while True:
        is_long = missing > _READ_AT_ONCE
        received = read_whole(missing) if is_long else read(_READ_AT_ONCE)
        if not received or is_long and len(received) < missing:
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
            if rows_per_second:
                aborted.wait(max(0.0, started + total / rows_per_second - time.monotonic()))
        if done:
            break
        data = data[at:]
    if overlong:
        raise RowsTooLong(overlong)


def _join_packets(data: bytes, at: int) -> tuple[bytes, int]:
    """A row of several packets, and its end. The end is beyond ``data`` while the row is incomplete."""
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


def events_of(
    connection: Any, file: str, offset: int, replication_id: int, wait: bool, patience: int
) -> Iterator[bytes | None]:
    """The events of the binary log from there on. None stands for a second without a byte.

    Ends at the end of the log, or with ``wait`` never. An event is a packet, or several if it is long. A packet's
    first byte tells its kind: 0 an event, 254 the end, 255 an error.

    Raises:
        pymysql.Error: MySQL stopped with an error, the connection was lost, or ``patience`` seconds had no byte.
    """
    where = struct.pack("<IHI", offset, 0 if wait else _NOT_BLOCKING, replication_id) + file.encode()
    connection._execute_command(pymysql.constants.COMMAND.COM_BINLOG_DUMP, where)
    connection._sock.settimeout(1)
    data, long, silent = bytearray(), bytearray(), 0
    while silent < patience:
        try:
            received = connection._sock.recv(_READ_AT_ONCE)
        except TimeoutError:
            silent += 1
            yield None
            continue
        if not received:
            break
        data += received
        at, size, silent = 0, len(data), 0
        while at + 4 <= size:
            length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            end = at + 4 + length
            if end > size:
                break
            packet = bytes(data[at + 4 : end])
            at = end
            if long or length == 0xFFFFFF:
                long += packet
                if length == 0xFFFFFF:
                    continue
                packet, long = bytes(long), bytearray()
            if packet[0] == 254 and wait:  # MariaDB, when somebody resets the log
                raise pymysql.OperationalError(2013, "The binary log ended")
            if packet[0] == 254:
                return
            if packet[0] == 255:
                pymysql.err.raise_mysql_exception(packet)
            yield packet[1:]
        del data[:at]
    raise pymysql.OperationalError(2013, "Lost connection to MySQL server during query")
