"""An independent reader of both sides: plain PyMySQL and psycopg2, and decoding of its own. Imports nothing from
``ingestion``.

A value is compared in a canonical form: integers as ``int``, decimals with their scale, floats by their bits,
moments as seconds since 1970, texts as Unicode, everything else as bytes in hex. ``None`` is NULL.
"""

import dataclasses
import datetime
import json
import re
import struct
from collections import Counter
from decimal import Decimal
from typing import Any

Row = tuple[Any, ...]

_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_SHAPES = (
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
)
_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "year")
_PYTHON = {
    "utf8mb4": "utf-8", "utf8mb3": "utf-8", "ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le",
    "utf32": "utf-32-be", "ascii": "ascii", "cp1251": "cp1251", "cp932": "cp932", "sjis": "cp932",
}  # fmt: skip
"""Where Python has the same character set; elsewhere MySQL's conversion is believed, and hazards say what is right."""


class Kept:
    """What a value that cannot be held becomes: NULL, and its original in the cast exceptions."""

    def __init__(self, original: str, encoding: str):
        self.original, self.encoding = original, encoding


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    type: str
    charset: str | None

    @property
    def base(self) -> str:
        return re.split(r"[ (]", self.type)[0]

    def asked(self) -> list[str]:
        """MySQL expressions that ``seen`` decodes."""
        name = "`" + self.name.replace("`", "``") + "`"
        if self.base == "bit":
            return [f"HEX({name})"]
        if self.base in ("float", "double"):
            return [name if self.type == "double" else f"{name} * 1e0"]  # a float's own text has six digits
        if self.base == "timestamp":
            return [f"CAST(UNIX_TIMESTAMP({name}) AS CHAR)", f"CAST({name} AS CHAR)"]
        if self.base in _SHAPES:
            return [f"HEX(ST_AsBinary({name}))", f"ST_SRID({name})"]
        if self.base in _BYTES:
            return [f"HEX({name})"]
        if self.charset:
            return [f"HEX({name})", f"HEX(CONVERT({name} USING utf8mb4))"]
        if self.base == "json":
            return [f"HEX(CAST({name} AS CHAR))"] * 2
        return [f"CAST({name} AS CHAR)"]

    def seen(self, parts: Row) -> Any:
        """The canonical value, or ``Kept``."""
        first = parts[0]
        if first is None:
            return None
        if self.base in _INTEGERS:
            return int(first)
        if self.base == "bit":
            return int(first, 16)
        if self.base == "decimal":
            return f"{Decimal(first):f}"
        if self.base in ("float", "double"):
            number = float(first)
            if self.base == "float":  # every digit of its 4 bytes is there
                assert struct.unpack("f", struct.pack("f", number))[0] == number, (self.name, first)
            return number.hex()
        if self.base == "date":
            return first if _is_date(first) else Kept(first, "text")
        if self.base == "datetime":
            return _fraction(first) if _is_date(first[:10]) else Kept(first, "text")
        if self.base == "timestamp":
            return _seconds(first) if _is_date(parts[1][:10]) else Kept(parts[1], "text")
        if self.base in _SHAPES:
            return (int(parts[1]).to_bytes(4, "little").hex() + first).lower()
        if self.base in _BYTES:
            return first.lower()
        if self.charset or self.base == "json":
            return self._text(bytes.fromhex(first), bytes.fromhex(parts[1]))
        return first

    def _text(self, stored: bytes, converted: bytes) -> Any:
        codec = _PYTHON.get(self.charset or "utf8mb4")
        try:
            text = stored.decode(codec) if codec else converted.decode()
            if self.charset == "ucs2" and any(letter > "\U0000ffff" for letter in text):
                raise UnicodeError  # a pair of surrogates is two of ucs2's characters
        except UnicodeError:
            return Kept(stored.hex(), "hex")
        if "\0" in text or not codec and "?" in text and b"?" not in stored:
            return Kept(stored.hex(), "hex")
        return text

    def in_warehouse(self, name: str) -> str:
        """Warehouse expression that ``arrived`` decodes."""
        if self.base == "timestamp":
            return f"extract(epoch from {name})::text"
        if self.base in (*_BYTES, *_SHAPES):
            return f"encode({name}, 'hex')"
        if self.base in ("float", "double"):
            return f"encode(float8send({name}), 'hex')"
        if self.charset or self.base == "json":
            return f"encode(convert_to({name}, 'UTF8'), 'hex')"
        return f"{name}::text"

    def arrived(self, value: Any) -> Any:
        if value is None:
            return None
        if self.base in (*_INTEGERS, "bit"):
            return int(value)
        if self.base in ("float", "double"):
            return float(struct.unpack(">d", bytes.fromhex(value))[0]).hex()
        if self.base == "datetime":
            return _fraction(value)
        if self.base == "timestamp":
            return _seconds(value)
        if self.base not in (*_BYTES, *_SHAPES) and (self.charset or self.base == "json"):
            return bytes.fromhex(value).decode()
        return value


@dataclasses.dataclass
class Source:
    """One MySQL table, as it is."""

    columns: list[Column]
    rows: list[Row]
    """Canonical values and ``Kept``."""

    def plain(self) -> list[Row]:
        """The rows as the raw table must have them."""
        return [tuple(None if isinstance(value, Kept) else value for value in row) for row in self.rows]

    def kept(self) -> list[tuple[str, str, str]]:
        """Column, original and encoding of each value that cannot be held."""
        return [
            (column.name, value.original, value.encoding)
            for row in self.rows
            for column, value in zip(self.columns, row, strict=True)
            if isinstance(value, Kept)
        ]


def read_source(cursor: Any, database: str, table: str) -> Source:
    cursor.execute(
        "SELECT column_name, column_type, character_set_name FROM information_schema.columns"
        " WHERE table_schema = %s AND BINARY table_name = %s ORDER BY ordinal_position",
        (database, table),
    )
    columns = [Column(name, kind.lower(), charset) for name, kind, charset in cursor.fetchall()]
    asked = [column.asked() for column in columns]
    cursor.execute(f"SELECT {', '.join(part for parts in asked for part in parts)} FROM `{table.replace('`', '``')}`")
    rows = []
    for values in cursor.fetchall():
        row, at = [], 0
        for column, parts in zip(columns, asked, strict=True):
            row.append(column.seen(values[at : at + len(parts)]))
            at += len(parts)
        rows.append(tuple(row))
    return Source(columns, rows)


@dataclasses.dataclass
class Raw:
    """One raw table, and what was kept aside for it."""

    rows: list[Row]
    exceptions: list[tuple[str, str, str, dict[str, Any]]]
    """Source column, original, encoding, row key."""
    key: list[str]
    """Source columns of the key the landing used."""


def read_raw(cursor: Any, schema: str, source: Source, table: str) -> Raw | None:
    """None where no raw table was made from the source table."""
    cursor.execute(
        f'select table_name, source_column, column_name, key_position from "{schema}"._landing_columns'
        " where source_table = %s",
        (table,),
    )
    found = cursor.fetchall()
    if not found:
        return None
    raw_name, names = found[0][0], {column: name for _, column, name, _ in found}
    assert len({name for name, *_ in found}) == 1 and names.keys() == {column.name for column in source.columns}
    asked = ", ".join(column.in_warehouse(f'"{names[column.name]}"') for column in source.columns)
    cursor.execute(f'select {asked} from "{schema}"."{raw_name}"')
    rows = [
        tuple(column.arrived(value) for column, value in zip(source.columns, row, strict=True))
        for row in cursor.fetchall()
    ]
    back = {name: column for column, name in names.items()}
    cursor.execute(
        f'select column_name, original_text, encoding, row_key from "{schema}"._landing_exceptions where table_name = %s',
        (raw_name,),
    )
    exceptions = [
        (back[column], original, encoding, json.loads(key)) for column, original, encoding, key in cursor.fetchall()
    ]
    key = [column for _, column, _, position in sorted(found, key=lambda row: int(row[3])) if position]
    return Raw(rows, exceptions, key)


def differences(source: Source, raw: Raw) -> list[str]:
    """What is not as it is at the source; empty when all is exact or kept."""
    found = []
    expected, arrived = Counter(source.plain()), Counter(raw.rows)
    if expected != arrived:
        missing, surplus = list((expected - arrived).items()), list((arrived - expected).items())
        found.append(f"missing {str(missing[:2])[:300]}; instead {str(surplus[:2])[:300]}")
    kept = Counter((column, original, encoding) for column, original, encoding, _ in raw.exceptions)
    if kept != Counter(source.kept()):
        found.append(f"kept {str(list(kept))[:300]}, not {str(source.kept())[:300]}")
    return found


def changes(before: Source, after: Source, key: list[str]) -> tuple[int, int, int]:
    """Rows that are inserted, updated and deleted between two readings, as the raw table sees it."""
    at = [number for number, column in enumerate(before.columns) if column.name in key]
    old, new = before.plain(), after.plain()
    if at and not any(row[number] is None for row in (*old, *new) for number in at):
        old_rows = {tuple(row[number] for number in at): row for row in old}
        new_rows = {tuple(row[number] for number in at): row for row in new}
        shared = old_rows.keys() & new_rows.keys()
        updated = sum(old_rows[row] != new_rows[row] for row in shared)
        return len(new_rows.keys() - shared), updated, len(old_rows.keys() - shared)
    gone, came = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return came.total(), 0, gone.total()


def _is_date(text: str) -> bool:
    try:
        return text == datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return False


def _fraction(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _seconds(text: str) -> Decimal:
    return Decimal(text).normalize()
