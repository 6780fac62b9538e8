"""Every expression evaluated by MySQL: a value of each type as text, and a row as one line of CSV.

MySQL formats every value, so none passes through a Python object. It adds up checksums of the lines while it sends
them. The warehouse makes the same lines again from the arrived rows.
"""

import dataclasses
import re

from landing.columns import ColumnPlan, LineFormat, SentText, SourceColumn, TablePlan
from landing.erased import ERASED
from landing.mysql.types import (
    AS_TEXT,
    BYTES,
    GEOMETRIES,
    INTEGERS,
    LONG_TEXTS,
    TEXTS,
    WITHOUT_ORDER,
    erased_value,
    members_of,
)
from landing.names import quote_mysql

_LONG = 4096  # bytes; if there is much to replace, the time of MySQL's REPLACE grows by their square
_ONE_CODE_EACH = {
    *("utf8mb4", "utf8mb3", "utf8", "ucs2", "utf16", "utf16le", "utf32", "ascii", "latin1", "latin2", "latin5"),
    *("cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "koi8r", "koi8u", "greek", "hebrew", None),
}
"""In others, such as cp932, two codes become the same character. Different keys in MySQL would be equal."""
_WIDE = {"ucs2", "utf16", "utf16le", "utf32"}
_WHOLE_IN_UNICODE = {"utf8mb4", "utf8mb3", "utf8", "latin1", None}
_CHARACTER = {"ascii": 1, "latin1": 3, "utf8mb3": 3, "utf8": 3}
"""The most bytes of UTF-8 for a character. 4 in all other sets."""
_UNFIT_DATE = "NOT ({} <=> {} + INTERVAL 0 DAY)"
"""Adding 0 days to an impossible date (0000-00-00, 2004-02-31, year 0) gives NULL or another date."""
_DATE_REASON = "zero, partial or impossible date"
_MD5 = "CAST(CONV(LEFT(MD5({}), 8), 16, 10) AS UNSIGNED)"
"""32 bits of a hash of ``{}``."""


class NoPolicy(Exception):
    """A column cannot land: its MySQL type is unknown here, or a setting for it cannot be met."""


# a value


def text_of(column: SourceColumn, format: LineFormat, check_texts: bool = False) -> SentText:
    """The text of a column's values.

    ``check_texts`` makes MySQL check every text for NUL and lone surrogates, because no PostgreSQL text can hold them.
    The check costs time, so it is only used after one was seen.

    Raises:
        NoPolicy: the type is not in ``TYPES``.
    """
    sent = _text_of(column, format, check_texts)
    return dataclasses.replace(sent, has_order=column.data_type not in WITHOUT_ORDER)


def _text_of(column: SourceColumn, format: LineFormat, check_texts: bool) -> SentText:
    data_type, full = column.data_type, column.column_type.lower()
    number = "{} + 0" if "zerofill" in full else "{}"  # no padding
    if data_type in INTEGERS:
        return SentText(INTEGERS[data_type]["unsigned" in full], number, is_whole_number=True)
    if data_type == "decimal":
        precision = re.search(r"\((\d+),(\d+)\)", full)
        return SentText(f"numeric{precision[0] if precision else ''}", number)
    if data_type in ("float", "double"):
        # The text protocol rounds FLOAT to six digits. The product is a DOUBLE, of which every digit is sent, and keeps
        # a minus zero; CAST AS DOUBLE needs MySQL 8.0.17.
        return SentText("double precision", "{} * 1E0")
    if data_type == "bit":
        width = int((re.search(r"\d+", full) or ["1"])[0])
        return SentText("bigint" if width < 64 else "numeric(20,0)", "CAST({} AS UNSIGNED)")
    if data_type == "year":
        return SentText("smallint", "{} + 0")
    if data_type == "date":
        return SentText("date", unfit=_UNFIT_DATE, unfit_reason=_DATE_REASON)
    if data_type in ("datetime", "timestamp"):
        # the session reads in UTC; the mark makes the warehouse's own time zone irrelevant
        zoned = data_type == "timestamp"
        return SentText(
            f"timestamp {'with' if zoned else 'without'} time zone",
            "CONCAT({}, '+00')" if zoned else "{}",
            digits=int((re.search(r"\((\d)\)", full) or ["0", "0"])[1]),
            unfit=_UNFIT_DATE,
            unfit_reason=_DATE_REASON,
        )
    if data_type == "time":  # -838:59:59 to 838:59:59: neither a time of day nor, on every warehouse, an interval
        return SentText("text")
    if data_type in BYTES:
        return _bytes("{}", column)
    if data_type in GEOMETRIES:  # SRID (4 bytes) and WKB: the well-known text would round coordinates
        return _bytes("CAST({} AS BINARY)", column)
    if data_type in TEXTS or data_type in AS_TEXT:
        text = _text(column, format, check_texts)
        # '' is an enum's error value and the empty set, and perhaps also the name of a member.
        doubled = data_type in ("enum", "set") and "" in members_of(column.column_type)
        return dataclasses.replace(text, tells_apart=text.tells_apart and not doubled)
    raise NoPolicy(f"column {column.name}: MySQL type {column.column_type} has no policy in landing/mysql/text.py")


def hashed(original: SentText, key: str) -> SentText:
    """A hashed column: SHA-256 of the key and the value, in hex. No value leaves MySQL in clear."""
    value = original.whole or original.sent
    # A character without Unicode is hashed as a question mark, so different values may have one hash.
    tells_apart = original.tells_apart and not (original.unfit and original.original_is_hex)
    sent = f"SHA2(CONCAT(x'{key.encode().hex()}', {value}), 256)"
    return SentText("text", sent, tells_apart=tells_apart, is_hash=True)


def marked(original: SentText) -> SentText:
    """A text after a mark, because an empty one could be taken for NULL."""
    return dataclasses.replace(original, sent=f"CONCAT('t', {original.sent})")


def without_minus_zero(original: SentText) -> SentText:
    """For a view's decimals. Only an expression can be minus zero, and no numeric can hold it."""
    return dataclasses.replace(original, sent="{} + 0")


def hash_withheld(original: SentText, withheld_if: str) -> SentText:
    """A hashed column without the hashes of erased people."""
    return dataclasses.replace(original, sent=f"IF({withheld_if}, '{ERASED}', {original.sent})")


def _bytes(value: str, column: SourceColumn) -> SentText:
    return SentText("bytea", rf"CONCAT('\\x', LOWER(HEX({value})))", longest=_declared(column.column_type))


def _text(column: SourceColumn, format: LineFormat, check: bool) -> SentText:
    charset, is_long_type = column.charset, column.data_type in LONG_TEXTS and format.encoded_texts
    # Values of these types have no character set of their own until they are text.
    value = "CAST({} AS CHAR CHARACTER SET utf8mb4)" if charset is None else "CONVERT({} USING utf8mb4)"
    in_bytes = f"CAST({value} AS BINARY)"
    unfit, reasons = [], []
    if charset not in _WHOLE_IN_UNICODE:  # a character without Unicode arrives as one more question mark, or as U+FFFD
        marks = "CHAR_LENGTH({0}) - CHAR_LENGTH(REPLACE({0}, '?', ''))".format
        back = f"CAST(CONVERT({value} USING {charset}) AS BINARY)"
        # under a _bin collation REPLACE looks for bytes, also across the border of two characters
        stored = f"({{}} COLLATE {charset}_general_ci)" if charset in _WIDE else "{}"
        unfit.append(
            f"LOCATE(0x3F, {in_bytes}) AND {marks(value)} <> {marks(stored)}"
            f" OR LOCATE(0xEFBFBD, {in_bytes}) AND {back} <> CAST({{}} AS BINARY)"
        )
        reasons.append("not representable in Unicode")
    is_long = f"LENGTH({{}}) > {_LONG}"
    if check or is_long_type:
        back = f"CAST(CONVERT(CONVERT({value} USING utf16) USING utf8mb4) AS BINARY)"  # lone surrogates do not
        refused = f"LOCATE(0x00, {in_bytes}) OR LOCATE(0xED, {in_bytes}) AND {in_bytes} <> {back}"
        unfit.append(refused if check else f"{is_long} AND ({refused})")
        reasons.append("NUL character or lone surrogate")
    plain = SentText(
        "text",
        value,
        quoted=True,
        longest=_longest_text(column),
        tells_apart=charset in _ONE_CODE_EACH,
        unfit=" OR ".join(unfit) or None,
        unfit_reason=" or ".join(reasons),
        original="CAST({} AS BINARY)",
        original_is_hex=True,
    )
    if not is_long_type:
        return plain
    sent = f"IF({is_long}, CONCAT('b', TO_BASE64({value})), CONCAT('t', {value}))"
    return dataclasses.replace(plain, sent=sent, whole=value, encoded=True)


def _longest_text(column: SourceColumn) -> int | None:
    """The most bytes of UTF-8 for a value of this type."""
    if column.data_type in ("enum", "set"):
        members = [len(member.encode()) for member in members_of(column.column_type)]
        return max([*members, 1]) if column.data_type == "enum" else sum(members) + len(members)
    if column.data_type in ("uuid", "inet4", "inet6"):
        return 80
    declared = _declared(column.column_type)
    return declared and declared * _CHARACTER.get(column.charset or "", 4)


def _declared(column_type: str) -> int | None:
    """Number of characters or bytes, if the type declares it."""
    declared = re.search(r"\((\d+)\)", column_type)
    return max(1, int(declared[1])) if declared else 255 if column_type.startswith("tiny") else None


# a row


def value_of(column: ColumnPlan) -> str:
    """Expression for the value of a column. For erased people, it is as if the column were empty."""
    name = quote_mysql(column.source.name)
    erased = f"'{ERASED}'" if erased_value(column.source.column_type) else "NULL"
    return f"IF({column.withheld_if}, {erased}, {name})" if column.withheld_if else name


def _unfit(column: ColumnPlan) -> str:
    return (column.sent.unfit or "FALSE").replace("{}", value_of(column))


def _field(column: ColumnPlan) -> str:
    """The field of a value: nothing for NULL, in quotes if the text may hold anything."""
    text = column.sent.sent.replace("{}", value_of(column))
    if column.sent.quoted:
        text = f"""REPLACE({text}, '"', '""')"""
    if not column.may_be_empty:
        return text
    value = f"""CONCAT('"', {text}, '"')""" if column.sent.quoted else text
    if column.may_be_unfit:
        return f"CASE WHEN {value_of(column)} IS NULL OR {_unfit(column)} THEN '' ELSE {value} END"
    return f"IF({value_of(column)} IS NULL, '', {value})"


def _original(column: ColumnPlan) -> str:
    return (column.sent.original or "CAST({} AS CHAR)").replace("{}", value_of(column))


def _exceptions(table: TablePlan) -> str:
    """The unfit values of a row: see ``EXCEPTIONS``."""
    originals = [
        f"IF({value_of(column)} IS NOT NULL AND ({_unfit(column)}),"
        f" CONCAT('{number}:', HEX({_original(column)}), ' '), '')"
        for number, column in enumerate(table.columns)
        if column.may_be_unfit
    ]
    return f"TRIM(CONCAT({', '.join(originals)}))"


def _checksum(table: TablePlan, format: LineFormat) -> str:
    """Checksum of a row. Its line is in ``@landing_line``."""
    if format.checksum == "crc32":
        return "CRC32(@landing_line)"
    if format.checksum == "md5":
        return _MD5.replace("{}", "@landing_line")
    parts = []
    for column in table.columns:
        empty = f"{value_of(column)} IS NULL" + (f" OR {_unfit(column)}" if column.may_be_unfit else "")
        value = column.sent.sent.replace("{}", value_of(column))
        parts.append(f"IF({empty}, '', CONCAT('{column.mark}', MD5({value})))")
    parts += [f"MD5({_exceptions(table)})"] if table.keeps_exceptions else []
    return _MD5.replace("{}", f"CONCAT({', '.join(parts)})")


def line_of(table: TablePlan, format: LineFormat) -> str:
    """Expression for a row's line. It adds up checksums on the way.

    1. The inner CONCAT makes the line and keeps it in ``@landing_line``: an argument, so it is evaluated first.
    2. The second argument of the outer CONCAT adds the line's checksum to ``@landing_checksum`` and is empty.
    3. CONCAT, unlike CONCAT_WS, leaves nothing out. If a field or its original outgrows ``max_allowed_packet``, the
       whole line is NULL, and the reader takes it for an error.
    """
    exceptions = _exceptions(table) if table.keeps_exceptions else ""
    parts = table.fields([_field(column) for column in table.columns], exceptions)
    added_up = f"@landing_checksum := @landing_checksum + {_checksum(table, format)}"
    return f"CONCAT(@landing_line := CONCAT({', '.join(parts)}), IF({added_up}, '', ''))"


def select(database: str, table: str, expression: str, condition: str = "") -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT {expression} FROM {quote_mysql(database)}.{quote_mysql(table)}{where}"
