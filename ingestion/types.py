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
    read_back: str = "{}"
    """Warehouse expression that makes the same text from the staged value; its type's own text where it is bare."""
    whole: str | None = None
    """MySQL expression for the value as it is, where ``sent`` encodes it."""
    quoted: bool = False
    """Whether the text may hold commas, quotes or line breaks, or be empty."""
    staged_type: str | None = None
    """Type in the staging schema, where the raw value is made of it by ``published``."""
    published: str = ""
    """Warehouse expression for the raw value of a staged one; a cast where nothing is said."""
    tells_apart: bool = True
    """Whether values that differ in MySQL differ in the warehouse too."""
    unfit: str | None = None
    """MySQL condition: the warehouse type cannot hold this value."""
    unfit_reason: str = ""
    original: str = "CAST({} AS CHAR)"
    """MySQL expression for the original of an unfit value, kept as text ..."""
    original_is_hex: bool = False
    """... or, where text cannot hold it, as the bytes in hex."""
    is_hash: bool = False
    """Whether it is not the value that travels, but a hash of it."""

    @property
    def staging_type(self) -> str:
        return self.staged_type or self.raw_type


HASH_OF = "hash of "
"""Before the type of a column that lands hashed, as records have it."""


class NoPolicy(Exception):
    """A MySQL type this module does not know."""


_INTEGERS = {
    # the smallest warehouse type for signed and for unsigned
    "tinyint": ("smallint", "smallint"),
    "smallint": ("smallint", "integer"),
    "mediumint": ("integer", "integer"),
    "int": ("integer", "bigint"),
    "bigint": ("bigint", "numeric(20,0)"),
}
INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
SIZED_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}
_TEXTS = {*SIZED_TEXTS, "enum", "set"}
BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"}
GEOMETRIES = {
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
WITHOUT_ORDER = {*BYTES, *GEOMETRIES, "enum", "set", "year"}
"""Types of which the greatest value that landed need not be MySQL's latest; the text of year 0 is in this century."""
_AS_TEXT = {"json", "uuid", "inet4", "inet6"}
LONG_TEXTS = {"mediumtext", "longtext", "json"}
_LONG = 4096  # bytes; MySQL's REPLACE takes time by the square of them where there is much to replace
_ONE_CODE_EACH = {
    *("utf8mb4", "utf8mb3", "utf8", "ucs2", "utf16", "utf16le", "utf32", "ascii", "latin1", "latin2", "latin5"),
    *("cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "koi8r", "koi8u", "greek", "hebrew", None),
}
"""In others, such as cp932, two codes become the same character: keys that differ in MySQL would be equal."""
_WIDE = {"ucs2", "utf16", "utf16le", "utf32"}
_WHOLE_IN_UNICODE = {"utf8mb4", "utf8mb3", "utf8", "latin1", None}
_UNFIT_DATE = "NOT ({} <=> {} + INTERVAL 0 DAY)"
"""No days added make NULL, or another date, of what is none: zero, without month or day, in year 0, 31 February."""
_DATE_REASON = "zero, partial or impossible date"

TYPES = sorted({*_INTEGERS, *_TEXTS, *BYTES, *GEOMETRIES, *_AS_TEXT} | {
    "decimal", "float", "double", "bit", "year", "date", "datetime", "timestamp", "time"
})  # fmt: skip


def policy(data_type: str, column_type: str, charset: str | None, check_texts: bool = False) -> Policy:
    """The policy of a column.

    ``data_type`` and ``column_type`` are those of ``information_schema.columns`` (``int``, ``int(10) unsigned
    zerofill``). ``check_texts`` asks for the check of every text for what no PostgreSQL text can hold: NUL and lone
    surrogates. It costs time, so it is asked for once one was seen.

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
        return Policy("double precision", sent="CAST({} AS DOUBLE)", staged_type="text")
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
        return Policy("text")
    if data_type in BYTES:
        return _bytes("{}")
    if data_type in GEOMETRIES:  # SRID (4 bytes) and WKB: the well-known text would round coordinates
        return _bytes("CAST({} AS BINARY)")
    if data_type in _TEXTS or data_type in _AS_TEXT:
        text = _text(data_type, charset, check_texts)
        # '' is the value that is none of an enum's, and the set of nothing; and perhaps a member's name.
        doubled = data_type in ("enum", "set") and "" in members_of(column_type)
        return dataclasses.replace(text, tells_apart=text.tells_apart and not doubled)
    raise NoPolicy(f"MySQL type {column_type} has no policy in ingestion/types.py")


def members_of(column_type: str) -> list[str]:
    """Of an enum or a set, as MySQL writes them: ``''`` for a quotation mark."""
    return re.findall(r"'((?:[^']|'')*)'", column_type)


def hashed(original: Policy, key_literal: str) -> Policy:
    """A column whose values must not leave MySQL in clear: SHA-256 of the key and the value, in hex."""
    value = original.whole or original.sent
    # What has no Unicode is hashed as a question mark, like others of its kind.
    tells_apart = original.tells_apart and not (original.unfit and original.original_is_hex)
    return Policy("text", sent=f"SHA2(CONCAT({key_literal}, {value}), 256)", tells_apart=tells_apart, is_hash=True)


def on_redshift(generic: Policy, data_type: str, column_type: str, charset: str | None) -> Policy:
    """The policy of a column where the warehouse is Redshift.

    Everything is staged as text and cast when it is published. COPY tells no empty text from NULL, so texts travel
    after a ``t``. Lengths are in bytes, as the source declares them; COPY refuses what is longer, and its table fails.
    """
    if generic.raw_type == "text":
        width = min(_bytes_of(data_type, column_type, charset) if generic.quoted else _BARE, _LONGEST)
        raw_type, published = f"character varying({width})", "substring({} from 2)" if generic.quoted else "{}"
        sent = f"CONCAT('t', {generic.sent})" if generic.quoted else generic.sent
        staged = f"character varying({width + 1})"
        return dataclasses.replace(generic, raw_type=raw_type, sent=sent, staged_type=staged, published=published)
    if generic.raw_type == "bytea":
        width = min(_capacity(column_type) or _LONGEST, _LONGEST // 2 - 1)
        staged, published = f"character varying({2 * width + 2})", "from_hex(substring({} from 3))"
        return dataclasses.replace(generic, raw_type=f"varbyte({width})", staged_type=staged, published=published)
    precision = re.match(r"numeric\((\d+)", generic.raw_type)
    raw_type = generic.raw_type
    if precision and int(precision[1]) > 38:  # the most digits that Redshift holds
        raw_type = f"character varying({_BARE})"
    elif precision and precision[1] == "19":  # held in eight bytes there: no more than 2^63 - 1
        raw_type = raw_type.replace("19", "20", 1)
    return dataclasses.replace(generic, raw_type=raw_type, staged_type=f"character varying({_BARE})")


_LONGEST = 65_534  # bytes of a text, less the one before it
_BARE = 80  # bytes of what is sent without quotes: numbers, times, hashes
_CHARACTER = {"ascii": 1, "latin1": 3, "utf8mb3": 3, "utf8": 3}
"""Bytes of UTF-8 that a character takes at most; 4 in all other sets."""


def _bytes_of(data_type: str, column_type: str, charset: str | None) -> int:
    """How long a value of this type can be in UTF-8."""
    if data_type in ("enum", "set"):
        members = [len(member.encode()) for member in members_of(column_type)]
        return max([*members, 1]) if data_type == "enum" else sum(members) + len(members)
    if data_type in ("uuid", "inet4", "inet6"):
        return _BARE
    return (_capacity(column_type) or _LONGEST) * _CHARACTER.get(charset or "", 4)


def _capacity(column_type: str) -> int | None:
    """Characters or bytes, where the type says how many."""
    declared = re.search(r"\((\d+)\)", column_type)
    return max(1, int(declared[1])) if declared else 255 if column_type.startswith("tiny") else None


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
    return Policy("timestamp without time zone", read_back=text, unfit=_UNFIT_DATE, unfit_reason=_DATE_REASON)


def _bytes(value: str) -> Policy:
    return Policy("bytea", sent=rf"CONCAT('\\x', LOWER(HEX({value})))", read_back=r"'\x' || encode({}, 'hex')")


def _text(data_type: str, charset: str | None, check: bool) -> Policy:
    # Values of these types have no character set of their own until they are text.
    value = "CAST({} AS CHAR CHARACTER SET utf8mb4)" if charset is None else "CONVERT({} USING utf8mb4)"
    in_bytes = f"CAST({value} AS BINARY)"
    unfit, reasons = [], []
    if charset not in _WHOLE_IN_UNICODE:  # what has no Unicode arrives as one more question mark, or as U+FFFD
        marks = "CHAR_LENGTH({0}) - CHAR_LENGTH(REPLACE({0}, '?', ''))".format
        back = f"CAST(CONVERT({value} USING {charset}) AS BINARY)"
        # under a _bin collation REPLACE looks for bytes, also where those of one character end and the next begins
        stored = f"({{}} COLLATE {charset}_general_ci)" if charset in _WIDE else "{}"
        unfit.append(
            f"LOCATE(0x3F, {in_bytes}) AND {marks(value)} <> {marks(stored)}"
            f" OR LOCATE(0xEFBFBD, {in_bytes}) AND {back} <> CAST({{}} AS BINARY)"
        )
        reasons.append("not representable in Unicode")
    is_long = f"LENGTH({{}}) > {_LONG}"
    if check or data_type in LONG_TEXTS:
        back = f"CAST(CONVERT(CONVERT({value} USING utf16) USING utf8mb4) AS BINARY)"  # lone surrogates do not
        refused = f"LOCATE(0x00, {in_bytes}) OR LOCATE(0xED, {in_bytes}) AND {in_bytes} <> {back}"
        unfit.append(refused if check else f"{is_long} AND ({refused})")
        reasons.append("NUL character or lone surrogate")
    plain = Policy(
        "text",
        sent=value,
        quoted=True,
        tells_apart=charset in _ONE_CODE_EACH,
        unfit=" OR ".join(unfit) or None,
        unfit_reason=" or ".join(reasons),
        original="CAST({} AS BINARY)",
        original_is_hex=True,
    )
    if data_type not in LONG_TEXTS:
        return plain
    return dataclasses.replace(
        plain,
        sent=f"IF({is_long}, CONCAT('b', TO_BASE64({value})), CONCAT('t', {value}))",
        whole=value,
        staged_type="text",
        published="case when left({}, 1) = 't' then substr({}, 2)"
        " else convert_from(decode(substr({}, 2), 'base64'), 'UTF8') end",
    )
