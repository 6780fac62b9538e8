"""The rows of an event in MySQL's binary log: where in a row the key is, and where the next row begins.

A value is passed over by its length, which its type tells. Only the key is read.
"""

import zlib
from collections.abc import Iterator

_WHOLE_NUMBERS = {1: 1, 2: 2, 3: 4, 8: 8, 9: 3}
_OLD_TIMES = {7: 4, 11: 3, 12: 8}
"""Timestamp, time and datetime before 5.6. MariaDB's may have a fraction, of whose length the log is silent."""
_FIXED = _WHOLE_NUMBERS | _OLD_TIMES | {6: 0, 10: 3, 13: 1, 14: 3}
"""Bytes of a value by the number of its type. Those of the last line: null, date, year, date."""
_FLOATS = {4, 5}
_TIMES = {17: 4, 18: 5, 19: 3}
"""Timestamp, datetime and time since 5.6: the bytes before the fraction."""
_TEXTS = {15, 141}
_BLOBS = {140, 245, 252, 255}
_BIT, _DECIMAL, _STRING, _ENUM, _SET = 16, 246, 254, 247, 248


class NotTold(Exception):
    """Which rows changed cannot be told from an event."""


class RowLayout:
    """The columns of a table, by the numbers of their types."""

    def __init__(self, types: bytes, metadata: bytes, key: int, unsigned: bool, of_mariadb: bool):
        """``key`` is the place of the key's column, from 0. Raises ``NotTold`` for a type that is not known."""
        if of_mariadb and set(types) & _OLD_TIMES.keys() or key >= len(types) or types[key] not in _WHOLE_NUMBERS:
            raise NotTold
        self._sizes = list(_sizes(types, metadata))
        self._key, self._key_size, self._signed = key, _WHOLE_NUMBERS[types[key]], not unsigned
        self._paths: dict[tuple[bytes, bytes], list[int]] = {}

    def keys(self, event: bytes, images: int, compressed: bool, sample: bool) -> set[int]:
        """The keys in all images of all rows, or with ``sample`` of the first row.

        ``event`` begins with the number of columns. For each image follow the bits of the columns that it has. In each
        image of a row come first the bits of those that are null.

        Raises:
            NotTold: an image has no key, such as that of an INSERT that leaves it to its default.
        """
        columns, at = number(event, 0)
        width = (columns + 7) // 8
        bits = [event[at + n * width : at + (n + 1) * width] for n in range(images)]
        if not _has(bits[0], self._key):  # the image after an UPDATE may lack it: the key is as before
            raise NotTold
        both = [(columns, (bin(int.from_bytes(columns, "little")).count("1") + 7) // 8) for columns in bits]
        rows = event[at + images * width :]
        if compressed:
            rows = decompress(rows)
        found: set[int] = set()
        at, end, size, signed = 0, len(rows), self._key_size, self._signed
        while at < end and not (sample and found):
            for sent, null_bytes in both:
                nulls = rows[at : at + null_bytes]
                at += null_bytes
                for step in self._paths.get((sent, nulls)) or self._path(sent, nulls):
                    if step > 0:
                        at += step
                    elif step:
                        at += int.from_bytes(rows[at : at - step], "little") - step
                    else:
                        found.add(int.from_bytes(rows[at : at + size], "little", signed=signed))
        if at != end and not sample:
            raise NotTold
        return found

    def _path(self, columns: bytes, nulls: bytes) -> list[int]:
        """The steps through an image: bytes to pass; 0 at the key; negative, the bytes of a length to pass."""
        path: list[int] = []
        sent = [index for index in range(len(self._sizes)) if _has(columns, index)]
        for place, index in enumerate(sent):
            size = self._sizes[index]
            if index == self._key:
                if _has(nulls, place):
                    raise NotTold
                path += [0, size]
            elif _has(nulls, place) or not size:
                pass
            elif size > 0 and path and path[-1] > 0:
                path[-1] += size
            else:
                path.append(size)
        if len(self._paths) > 1000:
            self._paths.clear()
        self._paths[columns, nulls] = path
        return path


def number(data: bytes, at: int) -> tuple[int, int]:
    """A number of the protocol, which may have the bytes of its length before it, and the place after it."""
    size = {252: 2, 253: 3, 254: 8}.get(data[at], 0)
    return (int.from_bytes(data[at + 1 : at + 1 + size], "little") if size else data[at]), at + 1 + size


def decompress(data: bytes) -> bytes:
    """What MariaDB compressed: 0x80 and the bytes of the length, the length, the content. Raises ``NotTold``."""
    try:
        if data[0] & 0xF0 == 0x80:  # zlib
            return zlib.decompress(data[1 + (data[0] & 7) :])
    except zlib.error:
        pass
    raise NotTold


def _has(bits: bytes, place: int) -> int:
    return bits[place >> 3] >> (place & 7) & 1


def _sizes(types: bytes, metadata: bytes) -> Iterator[int]:
    """For each column the bytes of a value; negative, the bytes of the length before it."""
    at = 0
    for kind in types:
        first, second = (*metadata[at : at + 2], 0, 0)[:2]
        if kind in _FIXED:
            yield _FIXED[kind]
        elif kind in _FLOATS or kind in _BLOBS or kind in _TIMES:
            at += 1
            yield _TIMES[kind] + (first + 1) // 2 if kind in _TIMES else first if kind in _FLOATS else -first
        else:
            at += 2
            yield _size(kind, first, second)


def _size(kind: int, first: int, second: int) -> int:
    if kind in _TEXTS:
        return -2 if second else -1
    if kind == _BIT:  # bits beyond whole bytes, and whole bytes
        return second + (first > 0)
    if kind == _DECIMAL:  # digits, and those of them behind the point: nine in four bytes
        return sum(digits // 9 * 4 + (digits % 9 + 1) // 2 for digits in (first - second, second))
    if kind != _STRING:
        raise NotTold
    if first in (_ENUM, _SET):
        return second
    return -1 if first & 0x30 == 0x30 else -2  # else two more bits of the length are there, inverted
