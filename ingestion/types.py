"""The type policy: how a value of each MySQL type travels to the warehouse, and what it becomes there.

MySQL formats every value as text (``sent``), so none passes through a Python object. Most types are staged as what
they will be and their text can be made again from the staged value, which is how the checksum is compared. Types
whose text differs between the two servers are staged as text, compared as text, and cast by the warehouse when they
are published.

A value the warehouse type cannot hold is NULL there; its original goes to ``_landing_exceptions``.
"""

import dataclasses
import re
from typing import Literal

Quoting = Literal["bare", "quoted"]


@dataclasses.dataclass(frozen=True)
class Policy:
    """How one column travels.

    ``{}`` stands for the quoted column in every expression.
    """

    raw_type: str
    """Type in the raw schema."""
    sent: str = "{}"
    """MySQL expression for the value's text."""
    read_back: str = "{}::text"
    """Warehouse expression that makes the same text from the staged value."""
    quoted: bool = False
    """Whether the text may hold commas, quotes or line breaks, or be empty."""
    staged_type: str | None = None
    """Type in the staging schema, where it is not the raw type."""
    unfit: str | None = None
    """MySQL condition: the warehouse type cannot hold this value."""
    unfit_reason: str = ""
    original: str = "CAST({} AS CHAR)"
    """MySQL expression for the original of an unfit value, kept as text ..."""
    original_is_hex: bool = False
    """... or, where text cannot hold it, as the bytes in hex."""

    @property
    def staging_type(self) -> str:
        return self.staged_type or self.raw_type


class NoPolicy(Exception):
    """A MySQL type this module does not know."""


_INTEGERS = {
    # bytes of MySQL's type, then the smallest warehouse type for signed and unsigned
    "tinyint": ("smallint", "smallint"),
    "smallint": ("smallint", "integer"),
    "mediumint": ("integer", "integer"),
    "int": ("integer", "bigint"),
    "bigint": ("bigint", "numeric(20,0)"),
}
_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
_BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"}
_GEOMETRIES = {
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
}
_AS_TEXT = {"json", "uuid", "inet4", "inet6"}
_WHOLE_IN_UNICODE = {"utf8mb4", "utf8mb3", "utf8", "latin1", None}
_UNFIT_DATE = (
    "YEAR({}) = 0 OR MONTH({}) = 0 OR DAYOFMONTH({}) = 0 OR DAYOFMONTH({}) > 28"
    " AND DAYOFMONTH({}) > DAYOFMONTH(LAST_DAY(CONCAT(LEFT({}, 8), '01')))"  # 31 February, under ALLOW_INVALID_DATES
)
_DATE_REASON = "zero, partial or impossible date"

TYPES = sorted({*_INTEGERS, *_TEXTS, *_BYTES, *_GEOMETRIES, *_AS_TEXT} | {
    "decimal", "float", "double", "bit", "year", "date", "datetime", "timestamp", "time"
})  # fmt: skip


def policy(data_type: str, column_type: str, charset: str | None, may_hold_nul: bool = False) -> Policy:
    """The policy of a column.

    ``data_type`` and ``column_type`` are those of ``information_schema.columns`` (``int``, ``int(10) unsigned
    zerofill``). ``may_hold_nul`` asks for the check of every text for NUL characters, which no PostgreSQL text
    can hold; it costs time, so it is asked for once a NUL was seen.

    Raises:
        NoPolicy: the type is not in ``TYPES``.
    """
    full = column_type.lower()
    number = "{} + 0" if "zerofill" in full else "{}"  # no padding
    if data_type in _INTEGERS:
        return Policy(_INTEGERS[data_type]["unsigned" in full], sent=number)
    if data_type == "decimal":
        precision = re.search(r"\((\d+),(\d+)\)", full)
        return Policy(f"numeric{precision[0] if precision else ''}", sent=number)
    if data_type in ("float", "double"):
        # The text protocol rounds FLOAT to six digits; as DOUBLE every digit is sent.
        return Policy("double precision", sent="CAST({} AS DOUBLE)", read_back="{}", staged_type="text")
    if data_type == "bit":
        width = int((re.search(r"\d+", full) or ["1"])[0])
        return Policy("bigint" if width < 64 else "numeric(20,0)", sent="CAST({} AS UNSIGNED)")
    if data_type == "year":
        return Policy("smallint", sent="{} + 0")
    if data_type == "date":
        return Policy("date", unfit=_UNFIT_DATE, unfit_reason=_DATE_REASON)
    if data_type in ("datetime", "timestamp"):
        return _moment(data_type, int((re.search(r"\((\d)\)", full) or ["0", "0"])[1]))
    if data_type == "time":  # -838:59:59 to 838:59:59: neither a time of day nor, on every warehouse, an interval
        return Policy("text", read_back="{}")
    if data_type in _BYTES:
        return Policy("bytea", sent=r"CONCAT('\\x', LOWER(HEX({})))", read_back=r"'\x' || encode({}, 'hex')")
    if data_type in _GEOMETRIES:  # SRID (4 bytes) and WKB: the well-known text would round coordinates
        return Policy("bytea", sent=r"CONCAT('\\x', LOWER(HEX(CAST({} AS BINARY))))", read_back=r"'\x' || encode({}, 'hex')")
    if data_type in _TEXTS or data_type in _AS_TEXT:
        return _text(data_type, charset, may_hold_nul)
    raise NoPolicy(f"MySQL type {column_type} has no policy in ingestion/types.py")


def hashed(original: Policy, key_literal: str) -> Policy:
    """A column whose values must not leave MySQL in clear: SHA-256 of the key and the value, in hex."""
    return Policy("text", sent=f"SHA2(CONCAT({key_literal}, {original.sent}), 256)", read_back="{}")


def _moment(data_type: str, digits: int) -> Policy:
    fraction = {0: "", 3: ".MS"}.get(digits, ".US")
    value = "{} at time zone 'UTC'" if data_type == "timestamp" else "{}"
    text = f"to_char({value}, 'YYYY-MM-DD HH24:MI:SS{fraction}')"
    if digits not in (0, 3, 6):
        text = f"left({text}, {20 + digits})"
    if data_type == "timestamp":  # the session reads in UTC; the mark makes the warehouse's own time zone irrelevant
        return Policy(
            "timestamp with time zone",
            sent="CONCAT({}, '+00')",
            read_back=f"{text} || '+00'",
            unfit=_UNFIT_DATE,
            unfit_reason=_DATE_REASON,
        )
    return Policy(
        "timestamp without time zone", read_back=text, unfit=_UNFIT_DATE, unfit_reason=_DATE_REASON
    )


def _text(data_type: str, charset: str | None, may_hold_nul: bool) -> Policy:
    # Values of these types have no character set of their own until they are text.
    value = "CAST({} AS CHAR CHARACTER SET utf8mb4)" if charset is None else "CONVERT({} USING utf8mb4)"
    unfit, reasons = [], []
    if charset not in _WHOLE_IN_UNICODE:
        unfit.append(f"CAST(CONVERT({value} USING {charset}) AS BINARY) <> CAST({{}} AS BINARY)")
        reasons.append("not representable in Unicode")
    if may_hold_nul:
        unfit.append(f"LOCATE(0x00, CAST({value} AS BINARY))")
        reasons.append("NUL character")
    return Policy(
        "text",
        sent=value,
        read_back="{}",
        quoted=True,
        unfit=" OR ".join(unfit) or None,
        unfit_reason=" or ".join(reasons),
        original="{}",
        original_is_hex=True,
    )
