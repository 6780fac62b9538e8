"""Between source and warehouse: what a source has, how it sends a row as text, what a warehouse makes of it.

A source package writes these, a warehouse module reads them; neither knows the other.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Literal

from landing.names import quote

HASH_OF = "hash of "
"""Before the type of a column that lands hashed, as records have it."""
EXCEPTIONS = "_exceptions"
"""Column of a row that arrived: ``<column number>:<hex of the original>``, a word for each value that is unfit."""


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
    """How a warehouse wants rows sent, so that it can add up the same checksums from what arrived."""

    checksum: Literal["crc32", "md5", "md5 of values"]
    """Of a row: CRC32 or 32 bits of the MD5 of its line, or 32 bits of the MD5 of its values' MD5s."""
    marked_texts: bool = False
    """Whether a text travels after a ``t``, since the warehouse tells no empty text from NULL."""
    encoded_texts: bool = True
    """Whether long texts travel in base64, which is quicker than to quote them."""


@dataclasses.dataclass(frozen=True)
class SentText:
    """How a source sends the values of a column. ``{}`` stands for the column in every expression of the source."""

    type: str
    """PostgreSQL's type for the values, without a length of texts; a warehouse may take another that holds them."""
    sent: str = "{}"
    """Expression for the value's text."""
    whole: str | None = None
    """Expression for the value as it is, where ``sent`` encodes it."""
    quoted: bool = False
    """Whether the text may hold commas, quotes or line breaks, or be empty."""
    encoded: bool = False
    """Whether the text is a ``t`` and the value, or a ``b`` and its base64."""
    digits: int = 0
    """Of a second, where the type is a moment."""
    longest: int | None = None
    """Bytes of a text in UTF-8, or of a binary value, at most; None: nobody says."""
    is_whole_number: bool = False
    """Whether the column is one of the source's integers."""
    has_order: bool = True
    """Whether the greatest value that landed is the source's latest."""
    tells_apart: bool = True
    """Whether values that differ in the source differ in the warehouse too."""
    unfit: str | None = None
    """Condition: the warehouse type cannot hold this value."""
    unfit_reason: str = ""
    original: str = ""
    """Expression for the original of an unfit value, kept as text (the value's own, where nothing is said) ..."""
    original_is_hex: bool = False
    """... or, where text cannot hold it, as the bytes in hex."""
    is_hash: bool = False
    """Whether it is not the value that travels, but a hash of it."""


@dataclasses.dataclass(frozen=True)
class WarehouseType:
    """What a column becomes. ``{}`` stands for the quoted column in every expression of the warehouse."""

    raw_type: str
    """Type in the raw schema."""
    arrives_as: str | None = None
    """Type in the arrival schema, where the raw value is made of it by ``published``."""
    read_back: str = "{}"
    """Expression that makes the text that was sent from the value that arrived."""
    published: str = ""
    """Expression for the raw value of one that arrived; a cast where nothing is said."""

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
    """The source's condition for the rows of people who were erased: they are read as if the column said nothing."""

    @property
    def quoted(self) -> str:
        return quote(self.name)

    @property
    def mark(self) -> str:
        """What tells its values from those of other columns, in a checksum of values: eight characters."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:8]

    @property
    def source_type(self) -> str:
        """Its type in the source, as records have it: what lands hashed is another thing than what lands in clear."""
        return f"{HASH_OF}{self.source.column_type}" if self.sent.is_hash else self.source.column_type

    @property
    def may_be_unfit(self) -> bool:
        return self.sent.unfit is not None

    @property
    def in_marks(self) -> bool:
        """Whether every field of the column stands in quotation marks, which the line then brings."""
        return self.sent.quoted and not self.may_be_empty

    @property
    def may_be_empty(self) -> bool:
        """Whether the field may be that of NULL: nothing, without quotation marks."""
        return self.source.nullable or self.may_be_unfit


@dataclasses.dataclass(frozen=True)
class TablePlan:
    source: SourceTable
    name: str
    columns: tuple[ColumnPlan, ...]
    arrival_name: str
    """In the arrival schema."""
    change_column: ColumnPlan | None = None
    """Of an incremental table."""

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
        """A whole number by which the rows can be read and published in blocks: first in the key and in the line."""
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
        """The parts that make a row's line of CSV, once joined: a field for each column, and what is between them.

        ``expressions`` are the fields, in the SQL of either side; ``exceptions`` is that of ``EXCEPTIONS``.
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
