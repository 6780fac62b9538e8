"""Between source and warehouse: columns of the source, their text on the way, columns of the warehouse.

A source package writes these types and a warehouse module reads them. Neither knows the other.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Literal

from landing.names import quote

HASH_OF = "hash of "
"""In the records, before the type of a hashed column."""
EXCEPTIONS = "_exceptions"
"""Column of an arrived row, with one word for each unfit value: ``<column number>:<hex of the original>``."""


@dataclasses.dataclass(frozen=True)
class SourceColumn:
    name: str
    data_type: str
    column_type: str
    charset: str | None
    nullable: bool
    key_position: int
    """1, 2, ... within the primary key, else within the first unique key without nullable columns. 0: not in it."""


@dataclasses.dataclass(frozen=True)
class SourceTable:
    name: str
    columns: tuple[SourceColumn, ...]
    estimated_rows: int
    transactional: bool
    """Whether its rows belong to the snapshot. A MyISAM table is read as it is when its turn comes."""
    is_view: bool = False
    in_key_order: bool = False
    """Whether its rows lie in the order of its primary key. Then a query in this order costs nothing."""
    is_logged: bool = False
    """Whether every change of its rows is a row in the binary log, as for InnoDB."""


@dataclasses.dataclass(frozen=True)
class RowSum:
    """Rows of one table, and the sum of their checksums."""

    rows: int
    checksum: int

    def __add__(self, other: "RowSum") -> "RowSum":
        return RowSum(self.rows + other.rows, self.checksum + other.checksum)

    def __str__(self) -> str:
        return f"{self.rows} rows with checksum {self.checksum}"


@dataclasses.dataclass(frozen=True)
class LineFormat:
    """The form of rows for a warehouse. It must be able to add up the same checksums from the arrived rows."""

    checksum: Literal["crc32", "md5", "md5 of values"]
    """Of a row: the CRC32 of its line, 32 bits of the line's MD5, or 32 bits of the MD5 of its values' MD5s."""
    marked_texts: bool = False
    """Whether a text travels after a ``t``, because the warehouse cannot tell an empty text from NULL."""
    encoded_texts: bool = True
    """Whether long texts travel in base64. This is quicker than quoting."""


@dataclasses.dataclass(frozen=True)
class SentText:
    """The text of a column's values, as sent by a source. In its expressions, ``{}`` stands for the column."""

    type: str
    """PostgreSQL's type for the values, texts without a length. A warehouse may take another type that holds them."""
    sent: str = "{}"
    """Expression for the value's text."""
    whole: str | None = None
    """Expression for the plain value, if ``sent`` encodes it."""
    quoted: bool = False
    """Whether the text may hold commas, quotes or line breaks, or be empty."""
    encoded: bool = False
    """Whether the text is a ``t`` and the value, or a ``b`` and its base64."""
    digits: int = 0
    """Digits of a second, if the type is a moment."""
    longest: int | None = None
    """The most bytes of a text in UTF-8, or of a binary value. None: unknown."""
    is_whole_number: bool = False
    """Whether the column is one of the source's integers."""
    has_order: bool = True
    """Whether the greatest landed value is the source's latest."""
    tells_apart: bool = True
    """Whether different values in the source are different in the warehouse, too."""
    unfit: str | None = None
    """Condition for a value the warehouse type cannot hold."""
    unfit_reason: str = ""
    original: str = ""
    """Expression for the original of an unfit value. If empty, the value as text."""
    original_is_hex: bool = False
    """Whether the original is kept as its bytes in hex, because text cannot hold it. Else it is kept as text."""
    is_hash: bool = False
    """Whether a hash travels instead of the value."""


@dataclasses.dataclass(frozen=True)
class WarehouseType:
    """A column's types in the warehouse. In its expressions, ``{}`` stands for the quoted column."""

    raw_type: str
    """Type in the raw schema."""
    arrives_as: str | None = None
    """Type in the arrival schema, if it is another. ``published`` makes the raw value of it."""
    read_back: str = "{}"
    """Expression for the text as sent, made from the arrived value."""
    published: str = ""
    """Expression for the raw value, made from the arrived one. If empty, a cast."""

    @property
    def arrival_type(self) -> str:
        return self.arrives_as or self.raw_type


@dataclasses.dataclass(frozen=True)
class ColumnPlan:
    source: SourceColumn
    name: str
    sent: SentText
    type: WarehouseType
    withheld_if: str = ""
    """The source's condition for rows of erased people. In these, the column is read as if it said nothing."""

    @property
    def quoted(self) -> str:
        return quote(self.name)

    @property
    def mark(self) -> str:
        """Eight characters before its values in a checksum of values, because other columns may have equal values."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:8]

    @property
    def source_type(self) -> str:
        """Its type in the source, for the records. A hashed column has another type there than a clear one."""
        return f"{HASH_OF}{self.source.column_type}" if self.sent.is_hash else self.source.column_type

    @property
    def may_be_unfit(self) -> bool:
        return self.sent.unfit is not None

    @property
    def in_marks(self) -> bool:
        """Whether every field of the column stands in quotation marks. Then the line brings them."""
        return self.sent.quoted and not self.may_be_empty

    @property
    def may_be_empty(self) -> bool:
        """Whether the field may be the one of NULL: nothing, without quotation marks."""
        return self.source.nullable or self.may_be_unfit


@dataclasses.dataclass(frozen=True)
class TablePlan:
    source: SourceTable
    name: str
    columns: tuple[ColumnPlan, ...]
    arrival_name: str
    """Its name in the arrival schema."""
    change_column: ColumnPlan | None = None
    """Tells which rows of an incremental table are new."""

    @property
    def key(self) -> tuple[ColumnPlan, ...]:
        """Empty if the source has no key, if a key column does not land, or if two keys could land as one."""
        keyed = sorted((column for column in self.columns if column.source.key_position), key=_key_position)
        if not all(column.sent.tells_apart for column in keyed):
            return ()
        complete = len(keyed) == sum(1 for column in self.source.columns if column.key_position)
        return tuple(keyed) if complete else ()

    @property
    def first_key(self) -> ColumnPlan | None:
        """The first column of key and line, if it is a whole number. Rows can be read and published in blocks of it."""
        key = self.key
        if not (self.source.in_key_order and key and key[0] is self.columns[0] and len(self.columns) > 1):
            return None
        whole = key[0].sent.is_whole_number and key[0].type.raw_type in ("smallint", "integer", "bigint")
        return key[0] if whole and not any(column.may_be_unfit for column in key) else None

    @property
    def keeps_exceptions(self) -> bool:
        return any(column.may_be_unfit for column in self.columns)

    @property
    def arrival_columns(self) -> list[str]:
        return [column.name for column in self.columns] + ([EXCEPTIONS] if self.keeps_exceptions else [])

    def fields(self, expressions: Sequence[str], exceptions: str) -> list[str]:
        """The parts of a row's line of CSV, to be joined: a field for each column, and the text between fields.

        ``expressions`` are the fields in the SQL of either side. ``exceptions`` is the expression of ``EXCEPTIONS``.
        """
        fields = [(field, column.in_marks) for field, column in zip(expressions, self.columns, strict=True)]
        fields += [(exceptions, False)] if self.keeps_exceptions else []
        parts, between = [], ""
        for field, in_marks in fields:
            mark = '"' if in_marks else ""
            parts += [f"'{between}{mark}'", field]
            between = f"{mark},"
        parts.append(f"'{between[:-1]}'")
        return [part for part in parts if part != "''"]


def _key_position(column: ColumnPlan) -> int:
    return column.source.key_position
