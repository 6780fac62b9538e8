"""A hostile MySQL schema: one entry per hazard, most with a table of their own.

``lands``   the table must land; each value is either exact or kept in the cast exceptions.
``named``   the table cannot land: the report must name it and say why, and the others must not suffer.
"""

import dataclasses
import random
import re
import struct
from collections.abc import Iterable
from typing import Any, Literal

from tests.conftest import numbers

MIB = 1024 * 1024
PACKET_LIMIT = 32 * MIB
"""The server's ``max_allowed_packet`` while the schema is landed."""


@dataclasses.dataclass(frozen=True)
class Hazard:
    name: str
    wrong: str
    """What tools usually get wrong."""
    table: str
    sql: tuple[str, ...] = ()
    """Statements that make the table; none where another hazard's table is judged."""
    change: tuple[str, ...] = ()
    """Statements that change some rows, for the landing after."""
    ends: Literal["lands", "named"] = "lands"
    texts: tuple[str | None, ...] = ()
    """What column ``v`` must hold, by ``id``, where the reader would otherwise have to believe the server."""
    numbers: tuple[float, ...] = ()
    only: Literal["mariadb", "mysql", None] = None
    since: str = ""
    """The first version of MySQL that can be given it; MariaDB's are all new enough."""
    kept: int | None = 0
    """How many values must be in the cast exceptions; None: some."""

    def is_for(self, version: str) -> bool:
        if "mariadb" in version.lower():
            return self.only != "mysql"
        return self.only != "mariadb" and _numbers(version) >= _numbers(self.since)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


HAZARDS: list[Hazard] = []


def q(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """A MySQL literal that no ``sql_mode`` reads differently."""
    return f"CONVERT(x'{value.encode().hex()}' USING utf8mb4)"


def hazard(name: str, wrong: str, table: str, *sql: str, **more: Any) -> None:
    HAZARDS.append(Hazard(name, wrong, table, sql, **more))


def values(name: str, kind: str, literals: Iterable[str], wrong: str, table: str | None = None, **more: Any) -> None:
    """A table ``(id, v)`` with one row per literal; then row 1 gets row 2's value, and the last row goes."""
    literals = list(literals)
    table = table or "h_" + "".join(letter if letter.isalnum() else "_" for letter in name.lower())
    rows = [f"({number}, {literal})" for number, literal in enumerate(literals, 1)]
    change = (
        f"update {q(table)} a join {q(table)} b on b.id = 2 set a.v = b.v where a.id = 1",
        f"delete from {q(table)} where id = {len(literals)}",
    )
    more.setdefault("change", change if len(literals) > 2 else change[1:])
    hazard(
        name,
        wrong,
        table,
        f"create table {q(table)} (id int primary key, v {kind})",
        *(f"insert into {q(table)} values {', '.join(rows[at : at + 500])}" for at in range(0, len(rows), 500)),
        **more,
    )


def strings(name: str, wrong: str, *items: str | None, kind: str = "varchar(200)", **more: Any) -> None:
    literals = ["NULL" if item is None else text(item) for item in items]
    values(name, kind, literals, wrong, texts=items, **more)


# numbers

for bits, kind in ((8, "tinyint"), (16, "smallint"), (24, "mediumint"), (32, "int"), (64, "bigint")):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values(
        kind, kind, [str(low), str(high), "0", "-1", "NULL"], "the smallest and the largest overflow a narrower type"
    )
    top = str(2**bits - 1)
    values(f"{kind} unsigned", f"{kind} unsigned", ["0", top, str(high + 1), "NULL"], "read as signed")
    values(f"{kind} zerofill", f"{kind} zerofill", ["7", top, "0", "NULL"], "zeros in front, or taken for signed")
values("bool", "bool", ["true", "false", "127", "NULL"], "127 becomes true")
values("int(1)", "int(1)", ["2147483647", "0", "NULL"], "the display width is taken for a limit")
digits = "9" * 35
values(
    "decimal(65,30)",
    "decimal(65,30)",
    [f"{digits}.{'9' * 30}", f"-{digits}.{'9' * 30}", f"0.{'0' * 29}1", "0", "-0.5", "NULL"],
    "rounded to a float or to 38 digits",
)
values("decimal(65,0)", "decimal(65,0)", ["9" * 65, "-" + "9" * 65, "0", "NULL"], "rounded")
for scale, server in ((38, "mariadb"), (30, "mysql")):  # the most that each can have
    values(
        f"decimal({scale},{scale})",
        f"decimal({scale},{scale})",
        ["0." + "1" * scale, "-0." + "9" * scale, "0", "NULL"],
        "no digit before the point",
        only=server,
    )
values("decimal unsigned", "decimal(12,4) unsigned", ["0", "99999999.9999", "0.0001", "NULL"], "scale lost")
values("decimal zerofill", "decimal(12,4) zerofill", ["12.5", "99999999.9999", "0", "NULL"], "zeros in front")
values(
    "decimal(65,30) zerofill",
    "decimal(65,30) zerofill",
    ["12.5", "9" * 35, "0", "NULL"],
    "zeros in front, then rounded",
)
values("decimal without scale", "decimal", ["12", "-9999999999", "0", "NULL"], "rounded")
values("numeric, negative", "numeric(10,2)", ["-0.01", "-99999999.99", "-0.00", "NULL"], "sign of a value under one")
edges = [0.1, -0.1, 1e308, -1.7976931348623157e308, 2.2250738585072014e-308, 1e15, 1e16, 123456789012345680.0, 1e17]
edges += [1e-5, 1e-4, 0.3, 2 / 3, 9007199254740993.0, 1e21, 1e22, 1e23, 5e-324 * 2**53, 100000.0, 1234567.0]
values("double", "double", map(repr, edges), "15 digits instead of 17", numbers=tuple(edges))
values(
    "double, smallest",
    "double",
    ["5e-324", "1e-310", "-5e-324", "1"],
    "subnormal becomes 0",
    numbers=(5e-324, 1e-310, -5e-324, 1.0),
)
values(
    "double, minus zero",
    "double",
    ["-1e0 * 0e0", "0e0", "1e0", "-1e0 * 0e0"],
    "the sign is lost, where the server keeps it",
)
shuffle = random.Random(20_050_531)
doubles = [
    number
    for number in (struct.unpack("d", shuffle.getrandbits(64).to_bytes(8, "little"))[0] for _ in range(4000))
    if number == number and 1e-300 < abs(number) < 1e300
]
values(
    "double, 4,000 at random",
    "double",
    map(repr, doubles),
    "not the shortest text that reads back the same",
    numbers=tuple(doubles),
)
values("double(10,2)", "double(10,2)", ["0.1", "-12345678.99", "99999999.99", "NULL"], "two digits after the point")
values("double zerofill", "double zerofill", ["0.5", "1e10", "0", "NULL"], "zeros in front")
values(
    "float",
    "float",
    ["0.1", "16777217", "3.4028235e38", "1.17549e-38", "1e-45", "123456.789", "-1e0 * 0e0", "NULL"],
    "six digits: 0.1 is not 0.1",
)
values("float(7,4)", "float(7,4)", ["999.0001", "-0.0001", "123.4567", "NULL"], "the text is rounded, the value is not")
values("float zerofill", "float(9,3) unsigned zerofill", ["1.5", "12345.678", "0", "NULL"], "zeros in front")
values("bit(1)", "bit(1)", ["b'1'", "b'0'", "NULL"], "a byte, or true for both")
values("bit(8)", "bit(8)", ["b'11111111'", "b'0'", "b'00100010'", "b'00101100'", "NULL"], "a quote or comma as a byte")
values("bit(64)", "bit(64)", ["x'FFFFFFFFFFFFFFFF'", "x'8000000000000000'", "0", "NULL"], "read as signed")
values("bit(33)", "bit(33)", ["x'01FFFFFFFF'", "1", "NULL"], "bytes in the wrong order")
values("year", "year", ["0", "1901", "2155", "NULL"], "0000 becomes 1900, 2000 or NULL", table="h_year")

# dates and times

values(
    "date",
    "date",
    ["'1000-01-01'", "'9999-12-31'", "'0001-01-01'", "'2004-02-29'", "NULL"],
    "shifted by a time zone, or out of range",
)
values(
    "date, Gregorian gap",
    "date",
    ["'1582-10-10'", "'1500-02-28'", "'0099-12-31'", "'1752-09-05'"],
    "Julian calendar before 1582",
)
values(
    "date, zero",
    "date",
    ["'0000-00-00'", "'2004-01-01'", "'0000-00-00'", "NULL"],
    "NULL, 0001-01-01 or -infinity, and nobody is told",
    kept=2,
)
values(
    "date, zero, not null",
    "date not null",
    ["'0000-00-00'", "'2004-01-01'", "'2004-01-02'"],
    "NULL in a column that has none",
    kept=1,
)
values(
    "date, partial",
    "date",
    ["'2004-00-00'", "'2004-05-00'", "'2004-00-07'", "'2004-05-06'"],
    "as zero dates, in one of the paths only",
    kept=3,
)
values(
    "date, impossible",
    "date",
    ["'2023-02-31'", "'2023-04-31'", "'1900-02-29'", "'2004-02-30'", "'2004-02-29'", "'2000-02-29'"],
    "rolled over into March",
    kept=4,
)
values("date, year 0", "date", ["'0000-01-01'", "'0000-12-31'", "'0001-01-01'"], "1 BC, or the year 2000", kept=2)
for places in range(7):
    fraction = ".123456789"[: places + 1] if places else ""
    values(
        f"datetime({places})",
        f"datetime({places})",
        [
            f"'2004-05-06 07:08:09{fraction}'",
            "'9999-12-31 23:59:59'",
            "'1000-01-01 00:00:00'",
            "'2004-05-06 00:00:00'",
            "NULL",
        ],
        "fraction cut to milliseconds, or a date at midnight",
    )
values(
    "datetime, zero and partial",
    "datetime(6)",
    ["'0000-00-00'", "'2004-00-00 10:11:12.5'", "'2023-02-30 01:02:03.000001'", "'2004-01-01'"],
    "NULL",
    kept=3,
)
moments = ["'2004-05-06 07:08:09'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "NULL"]
values("timestamp", "timestamp null", moments, "moved by the server's offset from UTC")
values(
    "timestamp(6)",
    "timestamp(6) null",
    ["'2004-05-06 07:08:09.123456'", "'2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:01.000001'", "NULL"],
    "fraction cut",
)
values(
    "timestamp(2)",
    "timestamp(2) null",
    ["'2004-05-06 07:08:09.12'", "'2038-01-19 03:14:07.99'", "'2004-01-01'", "NULL"],
    "fraction cut",
)
values(
    "timestamp, hour that occurs twice",
    "timestamp null",
    ["'2004-10-31 00:30:00'", "'2004-10-31 01:30:00'", "'2004-03-28 01:30:00'"],
    "both become the same local hour",
)
values("timestamp, zero", "timestamp null", ["'0000-00-00'", "'2004-01-01'", "NULL"], "1970-01-01", kept=1)
values(
    "timestamp, default now",
    "timestamp not null default current_timestamp on update current_timestamp",
    ["'2004-01-01'", "'2004-01-02'", "'2004-01-03'"],
    "the default is filled in again",
)
values(
    "time",
    "time",
    ["'838:59:59'", "'-838:59:59'", "'00:00:00'", "'-00:00:01'", "'24:00:00'", "'100:00:00'", "NULL"],
    "modulo 24 hours, or sign lost",
)
values(
    "time(6)", "time(6)", ["'838:59:58.999999'", "'-00:00:00.000001'", "'12:00:00.5'", "NULL"], "fraction or sign lost"
)
values("time(1)", "time(1)", ["'-01:00:00.5'", "'12:00:00.5'", "NULL"], "fraction or sign lost")

# text

strings("varchar, empty and NULL", "one becomes the other", "", None, "x", "")
strings("NULL look-alikes", "read as NULL", "\\N", "NULL", "null", "\\\\N", "nil", "None", "(null)", '""', "''")
strings("end-of-data look-alikes", "ends the load", "\\.", "a\n\\.\nb", "\\.\n", "\n\\.", "\\.,", "x")
strings("quotes and commas", "fields torn apart", '"', "'", ",", '","', '"""', "'';--", '\\"', "`", "a,b")
strings(
    "line breaks",
    "rows torn apart, or CR LF becomes LF",
    "\r",
    "\n",
    "\r\n",
    "a\rb\nc\r\nd",
    "\n\n",
    "\t",
    "\x0b\x0c",
    "\u2028\u2029\x85",
)
strings(
    "backslashes", "escapes applied", "\\", "\\\\", "\\n", "\\t", "\\0", "\\x41", "\\u0041", "C:\\new\\table", "\\'"
)
strings("blanks around", "trimmed", " a ", "  ", "\ta\t", "\u00a0a\u3000", "a ", "a")
strings("emoji", "question marks", "😀", "👩‍👩‍👧‍👦", "🇩🇪", "a😀b", "𝒳")
strings("combining characters", "normalised", "e\u0301", "\u00e9", "\u1100\u1161", "\uac00", "\ufb01", "\u212b")
strings("right to left", "reordered", "שלום עולם", "\u202eabc\u202c", "العربية ١٢٣", "a")
strings(
    "noncharacters and BOM", "refused or dropped", "\uffff", "\ufffe", "\ufeffa", "\U0010ffff", "\ufffd", "\ud7ff\ue000"
)
strings("control characters", "dropped", "\x01\x02\x03", "\x07\x08", "\x1a", "\x1b[31m", "\x7f", "\x80\x9f")
strings(
    "markup and placeholders",
    "interpreted",
    "%s %(x)s %%",
    "{} {0} {x}",
    "${HOME} $1",
    "<b>&amp;</b>",
    "{{ x }}",
    "=1+1",
    ":x ?",
)
strings(
    "text that looks like numbers",
    "converted",
    "007",
    "1e5",
    "+1",
    "0x41",
    "1.50",
    "NaN",
    "Infinity",
    "true",
    "2004-00-00",
)
values(
    "text, NUL",
    "varchar(20)",
    ["x'00'", "x'610062'", "x'6100'", "x'0061'", "'a'", "NULL"],
    "cut at the NUL, or the whole load fails",
    kept=4,
)
values(
    "text, NUL in a long text",
    "longtext",
    ["concat(repeat('x', 300000), x'00', 'y')", "'a'", "repeat('z', 70000)", "NULL"],
    "cut at the NUL",
    kept=1,
)
values(
    "text, surrogates",
    "varchar(20) character set utf8mb4",
    ["x'EDA080'", "x'61EDBFBF62'", "x'ED9FBF'", "'a'"],
    "the whole load fails",
    only="mariadb",
    kept=2,
)
values(
    "text, surrogates in ucs2",
    "varchar(20) character set ucs2",
    ["x'D800'", "x'0061DFFF'", "x'D83DDE00'", "x'0061'"],
    "question marks, or the load fails",
    kept=3,
)
hazard(
    "text, NUL among 30,000 rows",
    "found late: rows before it are doubled",
    "h_late_nul",
    "create table h_late_nul (id int primary key, v varchar(50), w varchar(50))",
    "insert into h_late_nul select id, concat('v', id), concat('w', id) from h_numbers where id <= 30000",
    "update h_late_nul set v = concat(v, x'00') where id = 29999",
    change=(
        "update h_late_nul set v = concat(x'00', v) where id in (7, 8)",
        "update h_late_nul set w = '' where id = 9",
    ),
    kept=1,
)
hazard(
    "two long names, NUL in both",
    "one work table for both",
    "n" * 60 + "_1",
    *(f"create table {'n' * 60}_{end} (id int primary key, v varchar(20))" for end in (1, 2)),
    *(f"insert into {'n' * 60}_{end} values (1, 'a{end}'), (2, x'006{end}')" for end in (1, 2)),
    change=(f"delete from {'n' * 60}_1 where id = 1",),
    kept=1,
)
hazard("two long names, NUL in both: the other", "one work table for both", "n" * 60 + "_2", kept=1)
strings("char", "padded, or trimmed of more than blanks", "a", "", "a\t", "\u3000", None, kind="char(10)")
values("char, trailing blanks", "char(10)", ["'a  '", "'  a'", "' '", "NULL"], "compared with its padding")
strings("char(255) of four-byte characters", "counted in bytes", "😀" * 255, "a", "", kind="char(255)")
strings("tinytext", "empty and NULL", "", None, "ä" * 127, "x", kind="tinytext")
hazard(
    "text of 5 MB and 12 MB",
    "cut, or the client gives up",
    "h_long_text",
    "create table h_long_text (id int primary key, v longtext)",
    f"insert into h_long_text values (1, repeat('ä\"', {5 * MIB // 3})), (2, repeat('x\\n', {6 * MIB})), (3, ''), (4, null)",
    change=("update h_long_text set v = concat(v, '!') where id = 2", "delete from h_long_text where id = 4"),
)
hazard(
    "a document full of quotes",
    "escaped one by one, in time by the square of its length",
    "h_quotes",
    "create table h_quotes (id int primary key, v longtext, w mediumtext, x text)",
    'insert into h_quotes values (1, repeat(\'{"a":"\\\\""},\', 400000), repeat(\'"\', 4096), repeat(\'"\', 2000)),'
    " (2, repeat('\"', 4095), repeat('\"', 4097), '\"'), (3, '', null, ''), (4, null, 'b', 't')",
    change=("update h_quotes set w = concat(w, '\"') where id = 1", "delete from h_quotes where id = 3"),
)
values(
    "long text, surrogates",
    "longtext",
    ["concat(repeat('x', 5000), x'EDA080')", "concat(repeat('한', 5000), '😀')", "concat(x'EDB080', 'a')", "''"],
    "the whole load fails",
    only="mariadb",
    kept=2,
)
hazard(
    "row lengths at packet edges",
    "rows torn or dropped where the length's own length changes",
    "h_edges",
    "create table h_edges (id int primary key, v longblob, w longtext)",
    *(
        f"insert into h_edges values ({number}, null, repeat('x', {length}))"
        for number, length in enumerate([*range(230, 256), *range(65_515, 65_541), 0, 1, 8, 9])
    ),
    change=("delete from h_edges where id = 40", "update h_edges set v = 'a' where id = 0"),
)
hazard(
    "one column, row lengths at packet edges",
    "rows torn or dropped where the length's own length changes",
    "h_edge_lines",
    "create table h_edge_lines (v longblob, w varchar(400))",
    *(
        # the line is \\x, the bytes in hex, a comma, and w in quotes
        f"insert into h_edge_lines values (repeat('x', {bulk}), repeat('y', {length - 5 - 2 * bulk}))"
        for bulk, lengths in {
            0: range(249, 258),
            32_600: range(65_534, 65_542),
            2**23 - 50: [2**24 + more for more in (-6, -5, -4, -1, 0, 1, 5)],
        }.items()
        for length in lengths
    ),
    change=("delete from h_edge_lines where length(w) = 244 and v = ''",),
)
strings(
    "collation ignores case",
    "rows that differ only in case are the same",
    "a",
    "A",
    "ä",
    "Ä",
    kind="varchar(9) collate utf8mb4_unicode_ci",
)

# character sets: what goes in as Unicode must come out as the same Unicode

CHARSETS = {
    "armscii8": "Բարեւ",
    "ascii": "plain ~ 'text'",
    "big5": "中文字許功蓋",
    "cp1250": "Žluťoučký kůň €",
    "cp1251": "Привет, № ё",
    "cp1256": "مرحبا",
    "cp1257": "Ąžuolas šļķ",
    "cp850": "Ünïcödé ±",
    "cp852": "Příliš žluť",
    "cp866": "Привет ░▒▓",
    "cp932": "日本語表ソ①髙",
    "dec8": "Ünïcödé",
    "eucjpms": "日本語①髙",
    "euckr": "한국어 똠",
    "gb2312": "中文简体",
    "gb18030": "中文😀鿿",
    "gbk": "中文誠鎔",
    "geostd8": "გამარჯობა",
    "greek": "Καλημέρα",
    "hebrew": "שלום",
    "hp8": "Ünïcödé",
    "keybcs2": "Žluťoučký kůň",
    "koi8r": "Привет ё",
    "koi8u": "Привіт ґє",
    "latin1": "é€ß’–œ",
    "latin2": "łódź ő",
    "latin5": "İstanbul ğş",
    "latin7": "Ąžuolas „“",
    "macce": "Žluťoučký",
    "macroman": "é∞√ÿ",
    "sjis": "日本語表ソ能ｱ",
    "swe7": "åäö ÅÄÖ",
    "tis620": "สวัสดี",
    "ucs2": "日本語 é ע",
    "ujis": "日本語 ｱ",
    "utf16": "日本語😀",
    "utf16le": "日本語😀",
    "utf32": "日本語😀",
    "utf8mb3": "日本語 é ע",
    "utf8mb4": "日本語😀",
}
for charset, sample in CHARSETS.items():
    strings(
        f"charset {charset}",
        "bytes taken for UTF-8 or latin1",
        sample,
        f'", {sample}',
        "",
        None,
        kind=f"varchar(60) character set {charset}",
        only="mysql" if charset == "gb18030" else None,
        since="5.7.4" if charset == "gb18030" else "",
    )
values(
    "latin1, every byte",
    "varchar(1) character set latin1",
    [f"x'{byte:02x}'" for byte in range(1, 256)],
    "0x80 to 0x9f",
    texts=tuple(
        bytes([byte]).decode("cp1252") if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(byte)
        for byte in range(1, 256)
    ),
)
values(
    "ascii with high bytes",
    "varchar(5) character set ascii",
    ["x'E9'", "'a'", "x'80'"],
    "question marks",
    kept=2,
    only="mariadb",
)
values(
    "cp932, two codes for one character",
    "varchar(5) character set cp932",
    ["x'ED40'", "x'FA5C'", "x'8754'", "'?'"],
    "round trip taken for exactness",
    texts=("纊", "纊", "Ⅰ", "?"),
)
values(
    "cp1251, byte without meaning",
    "varchar(5) character set cp1251",
    ["x'98'", "'?'", "x'C0'"],
    "question mark",
    kept=None,
)
hazard(
    "a charset per column",
    "the connection's charset is used for all",
    "h_charsets",
    "create table h_charsets (id int primary key, a varchar(20) character set latin1, b varchar(20) character set sjis,"
    " c char(20) character set utf16, d text character set cp1251, e enum('ä','ß') character set latin1, f set('я','ю') character set koi8r)",
    f"insert into h_charsets values (1, {text('ä')}, {text('表')}, {text('😀')}, {text('я')}, {text('ß')}, {text('я,ю')})",
    "insert into h_charsets values (2, '', '', '', '', '', ''), (3, null, null, null, null, null, null)",
    change=("update h_charsets set b = '' where id = 1", "delete from h_charsets where id = 3"),
)

# bytes

values(
    "blob, every byte",
    "blob",
    [f"x'{bytes(range(256)).hex()}'", *(f"x'{byte:02x}'" for byte in range(256)), "''", "NULL"],
    "cut at NUL, or taken for text",
)
values("binary, padding", "binary(4)", ["x'61'", "x'6100'", "x'20202020'", "''", "NULL"], "trailing zeros removed")
values(
    "varbinary", "varbinary(10)", ["x'6120'", "x'00'", "''", "x'5C78'", "x'2C22'", "NULL"], "trailing blanks removed"
)
values("tinyblob", "tinyblob", ["x'ff'", "''", "NULL"], "empty and NULL")
values("longblob of 6 MB", "longblob", [f"repeat(x'00ff5c22', {6 * MIB // 4})", "''", "NULL"], "cut, or refused")
hazard(
    "char with charset binary",
    "taken for text",
    "h_char_binary",
    "create table h_char_binary (id int primary key, v varchar(9) character set binary, w text character set binary)",
    "insert into h_char_binary values (1, x'ff00', x'ff00'), (2, '', ''), (3, null, null)",
    change=("delete from h_char_binary where id = 2",),
)

# enum, set, json, geometry, types of one server

hazard(
    "enum",
    "index instead of text, or sorted members",
    "h_enum",
    "create table h_enum (id int primary key, v enum('z','a','','it''s','a,b','1'))",
    "insert ignore into h_enum values (1, 'z'), (2, 2), (3, ''), (4, 'it''s'), (5, 'a,b'), (6, '1'), (7, 1), (8, null), (9, 'wrong'), (10, 3)",
    change=("update h_enum set v = 'a' where id = 1", "delete from h_enum where id = 9"),
)
values("set", "set('a','b','c d','é','')", ["'a,b'", "''", "'é,c d'", "31", "NULL"], "numbers, or other order")
values(
    "set of 64",
    "set(" + ",".join(f"'m{number}'" for number in range(64)) + ")",
    ["18446744073709551615", "1", "9223372036854775808", "''"],
    "64th member lost",
)
documents = [
    '{"a": 12345678901234567890, "b": 1.10, "c": 1e400}',
    '{"a":1,"a":2}',
    '"\\u00e9\\ud83d\\ude00"',
    "[]",
    "null",
    '"\\u0000"',
    '  {"z":1,  "a":[1,2,{}]}',
]
values(
    "json",
    "json",
    map(text, documents),
    "numbers become floats, keys are sorted or merged",
    only="mariadb",
    texts=tuple(documents),
)
values(
    "json, native",
    "json",
    [text('{"b": 1.10, "a": [1, null, true]}'), text('"\\u0000"'), text("null"), "NULL"],
    "keys sorted again",
    only="mysql",
    since="5.7.8",
)
for kind, wkt in {
    "geometry": "POINT(1 2)",
    "point": "POINT(0.1 -179.99999999999997)",
    "linestring": "LINESTRING(0 0, 1 1, 2 0)",
    "polygon": "POLYGON((0 0, 10 0, 10 10, 0 0),(1 1, 2 1, 2 2, 1 1))",
    "multipoint": "MULTIPOINT(0 0, 1 1)",
    "multilinestring": "MULTILINESTRING((0 0, 1 1),(2 2, 3 3))",
    "multipolygon": "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))",
    "geometrycollection": "GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))",
}.items():
    values(
        kind,
        kind,
        [f"ST_GeomFromText('{wkt}')", f"ST_GeomFromText('{wkt}', 4326)", "NULL"],
        "SRID lost, coordinates rounded, or an unreadable string",
    )
values(
    "uuid",
    "uuid",
    ["'123e4567-e89b-12d3-a456-426655440000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "NULL"],
    "bytes",
    only="mariadb",
)
values("inet6", "inet6", ["'2001:db8::ff00:42:8329'", "'::'", "'::ffff:192.0.2.128'", "NULL"], "bytes", only="mariadb")
values("inet4", "inet4", ["'255.255.255.255'", "'0.0.0.0'", "NULL"], "a number", only="mariadb")

# columns

hazard(
    "generated columns",
    "left out, or written to",
    "h_generated",
    "create table h_generated (id int primary key, a int, b int as (a + 1) virtual, c varchar(20) as (concat('x', a)) stored, d date as (if(a = 1, '0000-00-00', '2004-01-01')) virtual)",
    "insert into h_generated (id, a) values (1, 1), (2, null), (3, -5)",
    change=("update h_generated set a = 9 where id = 3", "delete from h_generated where id = 2"),
    since="5.7.6",
    kept=1,
)
hazard(
    "invisible columns",
    "SELECT * does not show them",
    "h_invisible",
    "create table h_invisible (id int primary key, shown int, hidden varchar(20) invisible default 'h')",
    "insert into h_invisible (id, shown, hidden) values (1, 1, 'a'), (2, 2, null), (3, 3, '')",
    change=("update h_invisible set hidden = 'b' where id = 1",),
    since="8.0.23",
)
hazard(
    "compressed columns",
    "the type has a comment in it",
    "h_compressed",
    "create table h_compressed (id int primary key, v varchar(9000) compressed, w blob compressed)",
    "insert into h_compressed values (1, repeat('a', 9000), repeat('b', 60000)), (2, '', ''), (3, null, null)",
    change=("update h_compressed set v = 'c' where id = 1",),
    only="mariadb",
)
hazard(
    "300 columns",
    "more than 100 arguments of a function",
    "h_300",
    f"create table h_300 (id int primary key, {', '.join(f'c{n} varchar(9), d{n} int' for n in range(150))}) row_format=dynamic",
    "insert into h_300 (id, c1, d149) values (1, 'a', 1), (2, '', 2), (3, null, 3)",
    "update h_300 set " + ", ".join(f"c{n} = '{n}', d{n} = {n}" for n in range(150)) + " where id = 1",
    change=("update h_300 set d77 = -1 where id = 1", "delete from h_300 where id = 3"),
)
hazard(
    "1,000 columns without a key",
    "one expression of 1,000 terms",
    "h_1000",
    f"create table h_1000 ({', '.join(f'c{n} tinyint' for n in range(1000))})",
    "insert into h_1000 (c1, c999) values (1, 1), (1, 1), (2, 2), (null, null)",
    change=("delete from h_1000 where c1 = 1 limit 1", "update h_1000 set c500 = 5 where c1 = 2"),
)
hazard(
    "2,000 columns",
    "more than the warehouse can hold: takes the other tables down",
    "h_2000",
    f"create table h_2000 ({', '.join(f'c{n} tinyint' for n in range(2000))}) engine=MyISAM",
    "insert into h_2000 (c1) values (1)",
    ends="named",
)
hazard(
    "1,600 columns",
    "no room for the landing's own columns: fails when it is published",
    "h_1600",
    f"create table h_1600 ({', '.join(f'c{n} tinyint' for n in range(1600))}) engine=MyISAM",
    "insert into h_1600 (c1) values (1)",
    ends="named",
)
hazard(
    "a row wider than a page of the warehouse",
    "takes the other tables down",
    "h_wide_row",
    f"create table h_wide_row ({', '.join(f'c{n} bigint not null default {2**60 + n}' for n in range(1018))}) engine=MyISAM",
    "insert into h_wide_row (c1) values (1), (2)",
    ends="named",
)
hazard(
    "one column with NULLs and empty strings",
    "an empty line is skipped",
    "h_one",
    "create table h_one (v varchar(20))",
    "insert into h_one values (null), (''), (null), ('a'), (''), ('')",
    change=("delete from h_one where v = '' limit 1", "insert into h_one values (null)"),
)
hazard(
    "one number column with NULLs",
    "an empty line is skipped",
    "h_one_number",
    "create table h_one_number (v int)",
    "insert into h_one_number values (null), (0), (null), (1), (null)",
    change=("delete from h_one_number where v is null limit 1", "insert into h_one_number values (0)"),
)
hazard(
    "only NULLs",
    "typed as text, or left out",
    "h_nulls",
    "create table h_nulls (a int, b date, c blob, d text)",
    "insert into h_nulls values (null, null, null, null), (null, null, null, null)",
    change=("delete from h_nulls limit 1",),
)
hazard(
    "empty table",
    "does not land at all",
    "h_empty",
    "create table h_empty (id int primary key, v varchar(9), d date)",
    change=("insert into h_empty values (1, '', '0000-00-00')",),
)
hazard(
    "default values",
    "NULL becomes the default",
    "h_defaults",
    "create table h_defaults (id int auto_increment primary key, a int default 7, b varchar(9) default 'x', c datetime default current_timestamp, d text default (concat('a', 'b')))",
    "insert into h_defaults (a, b, c, d) values (null, null, null, null), (1, '', '2004-01-01', '')",
    change=("update h_defaults set a = null where id = 2",),
    since="8.0.13",
)

# keys

hazard(
    "no key, rows twice",
    "duplicates are merged",
    "h_twice",
    "create table h_twice (a int, b varchar(9))",
    "insert into h_twice values (1, 'a'), (1, 'a'), (1, 'a'), (2, null), (2, null), (null, null)",
    change=("delete from h_twice where a = 1 limit 1", "insert into h_twice values (2, null)"),
)
hazard(
    "no key, kept values",
    "which row was it?",
    "h_keyless_kept",
    "create table h_keyless_kept (a int, d date)",
    "insert into h_keyless_kept values (1, '0000-00-00'), (2, '2004-00-01'), (2, '2004-00-01'), (3, '2004-01-01')",
    change=("delete from h_keyless_kept where a = 2 limit 1",),
    kept=3,
)
hazard(
    "composite key",
    "only its first column is used",
    "h_composite",
    "create table h_composite (b varchar(9), v int, a int, primary key (a, b))",
    "insert into h_composite values ('x', 1, 1), ('y', 2, 1), ('x', 3, 2)",
    change=("update h_composite set v = 9 where a = 1 and b = 'y'", "delete from h_composite where a = 2"),
)
hazard(
    "key that tells case apart",
    "rows are merged",
    "h_key_bin",
    "create table h_key_bin (k varchar(9) collate utf8mb4_bin primary key, v int)",
    "insert into h_key_bin values ('a', 1), ('A', 2), ('ä', 3), ('', 4)",
    change=("update h_key_bin set v = 9 where k = 'A'", "delete from h_key_bin where k = ''"),
)
hazard(
    "key that ignores case",
    "rewritten in another case, the row is lost",
    "h_key_ci",
    "create table h_key_ci (k varchar(9) collate utf8mb4_general_ci primary key, v int)",
    "insert into h_key_ci values ('a', 1), ('B', 2), ('c ', 3)",
    change=("update h_key_ci set k = 'A' where k = 'a'", "update h_key_ci set v = 9 where k = 'b'"),
)
hazard(
    "key whose trailing blanks count",
    "rows are merged",
    "h_key_nopad",
    "create table h_key_nopad (k varchar(9) collate utf8mb4_nopad_bin primary key, v int)",
    "insert into h_key_nopad values ('a', 1), ('a ', 2), ('a  ', 3)",
    change=("update h_key_nopad set v = 9 where k = 'a '",),
    only="mariadb",
)
hazard(
    "key of binary",
    "compared as text",
    "h_key_binary",
    "create table h_key_binary (k varbinary(9) primary key, v int)",
    "insert into h_key_binary values (x'00', 1), (x'0000', 2), (x'ff', 3), ('', 4)",
    change=("update h_key_binary set v = 9 where k = x'00'",),
)
hazard(
    "key of date",
    "time zone",
    "h_key_date",
    "create table h_key_date (k date primary key, v int)",
    "insert into h_key_date values ('2004-01-01', 1), ('2004-01-02', 2)",
    change=("update h_key_date set v = 9 where k = '2004-01-01'",),
)
hazard(
    "key with a zero date",
    "NULL in a key",
    "h_key_zero",
    "create table h_key_zero (k date, n int, v int, primary key (k, n))",
    "insert into h_key_zero values ('0000-00-00', 1, 1), ('0000-00-00', 2, 2), ('2004-01-02', 1, 3)",
    change=("update h_key_zero set v = 9 where n = 2", "delete from h_key_zero where k = '2004-01-02'"),
    kept=2,
)
hazard(
    "key of one date, several partial",
    "which original belongs to which row?",
    "h_key_partial",
    "create table h_key_partial (k date primary key, v varchar(9))",
    "insert into h_key_partial values ('0000-00-00', 'zero'), ('2004-00-00', 'year'), ('2004-05-00', 'month'), ('2004-01-02', 'whole')",
    change=(
        "update h_key_partial set v = 'Zero' where k = '0000-00-00'",
        "delete from h_key_partial where k = '2004-05-00'",
    ),
    kept=3,
)
hazard(
    "key of timestamp",
    "time zone",
    "h_key_moment",
    "create table h_key_moment (k timestamp(3) primary key, v int)",
    "insert into h_key_moment values ('2004-10-31 00:30:00.001', 1), ('2004-10-31 01:30:00.001', 2)",
    change=("update h_key_moment set v = 9 where v = 2",),
)
hazard(
    "key of double",
    "minus zero, rounding",
    "h_key_double",
    "create table h_key_double (k double primary key, v int)",
    "insert into h_key_double values (0.1, 1), (0.30000000000000004, 2), (0.3, 3), (-1e0 * 0e0, 4)",
    change=("update h_key_double set v = 9 where v = 2",),
)
hazard(
    "key of bit, enum and decimal",
    "compared as text",
    "h_key_mixed",
    "create table h_key_mixed (a bit(64), b enum('z','a'), c decimal(30,10), d time(3), v int, primary key (a, b, c, d))",
    "insert into h_key_mixed values (x'FFFFFFFFFFFFFFFF', 'z', 0.1, '-01:00:00.5', 1), (1, 'a', 0.10, '800:00:00', 2), (1, 'z', 5, '0:0:0', 3)",
    change=("update h_key_mixed set v = 9 where v = 2", "delete from h_key_mixed where v = 3"),
)
hazard(
    "key with NUL in text",
    "NULL in a key",
    "h_key_nul",
    "create table h_key_nul (k varchar(9) collate utf8mb4_bin primary key, v int)",
    "insert into h_key_nul values (x'6100', 1), (x'00', 2), ('b', 3)",
    change=("update h_key_nul set v = 9 where v = 2",),
    kept=2,
)
hazard(
    "unique key only",
    "not taken for a key",
    "h_unique",
    "create table h_unique (a int not null, b int not null, v int, unique (b, a))",
    "insert into h_unique values (1, 1, 1), (1, 2, 2)",
    change=("update h_unique set v = 9 where b = 2",),
)
hazard(
    "unique key that may be NULL",
    "rows with NULL are merged",
    "h_unique_null",
    "create table h_unique_null (a int unique, v int)",
    "insert into h_unique_null values (null, 1), (null, 1), (1, 2)",
    change=("delete from h_unique_null where a is null limit 1",),
)
hazard(
    "unique key on a prefix",
    "rows are merged",
    "h_unique_prefix",
    "create table h_unique_prefix (a varchar(20) not null, v int, unique (a(3)))",
    "insert into h_unique_prefix values ('abcd', 1), ('abdd', 2)",
    change=("update h_unique_prefix set v = 9 where v = 2",),
)
hazard(
    "index on an expression",
    "an index column without a name",
    "h_functional",
    "create table h_functional (a int not null, v varchar(9), unique ((a + 1)))",
    "insert into h_functional values (1, 'a'), (2, 'b')",
    change=("delete from h_functional where a = 1",),
    only="mysql",
    since="8.0.13",
)
hazard(
    "a number key over its whole width",
    "sorted as signed",
    "h_key_big",
    "create table h_key_big (k bigint unsigned primary key, v int)",
    "insert into h_key_big values (0, 1), (18446744073709551615, 2), (9223372036854775808, 3)",
    change=("update h_key_big set v = 9 where v = 2",),
)

hazard(
    "key of characters that have two codes",
    "rows are merged",
    "h_key_two_codes",
    "create table h_key_two_codes (k varchar(5) character set cp932 collate cp932_bin primary key, v int)",
    "insert into h_key_two_codes values (x'ED40', 1), (x'FA5C', 2), ('a', 3)",
    change=("update h_key_two_codes set v = 9 where v = 1", "delete from h_key_two_codes where v = 3"),
)
hazard(
    "primary key on a prefix",
    "rows are merged",
    "h_key_prefix",
    "create table h_key_prefix (k varchar(20), v int, primary key (k(2)))",
    "insert into h_key_prefix values ('aax', 1), ('abx', 2), ('acx', 3)",
    change=("update h_key_prefix set k = 'aby' where v = 2", "delete from h_key_prefix where v = 3"),
)

# names

NAMES = {
    "blank": "a b",
    "blanks only between": "order  details",
    "quote": "o'clock",
    "double quote": 'say "hi"',
    "two double quotes": '""',
    "dot": "a.b",
    "dots": "..",
    "percent": "100%",
    "percent s": "%s",
    "percent paren": "%(x)s",
    "braces": "a{}b{0}",
    "backtick": "a`b",
    "backslash": "a\\b",
    "slash": "a/b",
    "semicolon": "a;b",
    "dash dash": "a--b",
    "question mark": "a?b",
    "dollar": "a$b$1",
    "at": "@@x",
    "colon": ":x",
    "hash": "#t",
    "comma": "a,b",
    "bracket": "[a]*",
    "newline": "a\nb",
    "umlaut": "größe",
    "Chinese": "订单",
    "Cyrillic": "Заказы",
    "Arabic": "طلبات",
    "combining": "e\u0301t",
    "64 characters": "x" * 64,
    "40 three-byte characters": "号" * 40,
    "digits first": "2004_sales",
    "digits only": "2004",
    "exponent": "1e5",
    "underscore": "_",
    "dash": "-",
    "injection": "x); drop table y; --",
    "injection in quotes": 'x" int); drop schema public cascade; --',
    "the landing's records": "_landing_runs",
    "the landing's clock": "_loaded_at",
    "the landing's exceptions": "_exceptions",
    "dlt's identifier": "_dlt_id",
    "dlt's loads": "_dlt_loads",
    "catalog": "pg_class",
    "schema": "information_schema",
    "unnamed": "unnamed",
}
RESERVED = [
    "select",
    "table",
    "user",
    "order",
    "group",
    "from",
    "null",
    "default",
    "analyze",
    "window",
    "column",
    "end",
]
SYSTEM = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid", "CTID", "XMin"]


def named(label: str, name: str, wrong: str) -> None:
    hazard(
        f"name: {label}",
        wrong,
        name,
        f"create table {q(name)} (id int primary key, {q(name)} varchar(20))",
        f"insert into {q(name)} values (1, 'a'), (2, ''), (3, null)",
        change=(f"update {q(name)} set {q(name)} = 'b' where id = 1", f"delete from {q(name)} where id = 3"),
    )


for label, name in NAMES.items():
    named(label, name, "not quoted, not found, or changed into another's")
for name in RESERVED:
    named(f"reserved, {name}", name, "a syntax error")
for name in SYSTEM[:8]:
    if name != "CTID":
        named(f"system column, {name}", name, "PostgreSQL refuses the name: takes the other tables down")
hazard(
    "columns that become the same name",
    "one overwrites the other",
    "h_same_names",
    f"create table h_same_names (id int primary key, `Order ID` int, order_id int, orderId int, {q('order-id')} int, `ORDER__ID` int, `größe` int, `grüße` int)",
    "insert into h_same_names values (1, 1, 2, 3, 4, 5, 6, 7), (2, 11, 12, 13, 14, 15, 16, 17)",
    change=("update h_same_names set `order-id` = 0 where id = 1",),
)
hazard(
    "a name that looks like a distinguished one",
    "two columns of one name: the table cannot be made",
    "h_forged",
    # order_id_<first 8 hex digits of the SHA-256 of 'Order ID'>
    "create table h_forged (id int primary key, `Order ID` int, order_id int, order_id_d89d8487 int, v int)",
    "insert into h_forged values (1, 1, 2, 3, 4), (2, 5, 6, 7, 8)",
    change=("delete from h_forged where id = 2",),
)
hazard(
    "tables that become the same name",
    "one overwrites the other",
    "h_collide a",
    "create table `h_collide a` (id int primary key, v varchar(9))",
    "insert into `h_collide a` values (1, 'blank')",
    "create table h_collide_a (id int primary key, v varchar(9))",
    "insert into h_collide_a values (1, 'underscore'), (2, 'x')",
    "create table `h_collide-a` (v int)",
    change=("update `h_collide a` set v = 'b'",),
)
hazard(
    "tables that become the same name: the second",
    "one overwrites the other",
    "h_collide_a",
    change=("delete from h_collide_a where id = 2",),
)
hazard(
    "tables that become the same name: the third",
    "one overwrites the other",
    "h_collide-a",
    change=("insert into `h_collide-a` values (1)",),
)
hazard(
    "tables that differ in case",
    "one overwrites the other",
    "h_case",
    "create table h_case (id int primary key, v varchar(9))",
    "insert into h_case values (1, 'lower'), (2, 'x')",
    "create table H_Case (id int primary key, v varchar(9))",
    "insert into H_Case values (1, 'upper')",
    change=("delete from h_case where id = 2",),
)
hazard(
    "tables that differ in case: the other", "one overwrites the other", "H_Case", change=("update H_Case set v = 'b'",)
)
hazard(
    "many names of one language",
    "all become the same",
    "客户",
    "create table `客户` (`编号` int primary key, `姓名` varchar(9), `电话` varchar(9), `生日` date)",
    "insert into `客户` values (1, '王', '1', '2004-01-01'), (2, '', null, '0000-00-00')",
    change=("update `客户` set `电话` = '2' where `编号` = 2",),
    kept=1,
)
hazard(
    "64-character names that differ at the end",
    "cut to 63 bytes, one overwrites the other",
    "h_long_names",
    f"create table h_long_names (id int primary key, {'c' * 63}a int, {'c' * 63}b int, {'c' * 63} int)",
    "insert into h_long_names values (1, 1, 2, 3), (2, 4, 5, 6)",
    change=(f"update h_long_names set {'c' * 63}b = 9 where id = 1",),
)

# engines, and what a table can be

for engine in ("MyISAM", "MEMORY", "Aria"):
    hazard(
        f"engine {engine}",
        "locked by the snapshot, or skipped",
        f"h_{engine.lower()}",
        f"create table h_{engine.lower()} (id int primary key, v varchar(20)) engine={engine}",
        f"insert into h_{engine.lower()} values (1, 'a'), (2, null)",
        change=(f"update h_{engine.lower()} set v = '' where id = 1",),
        only="mariadb" if engine == "Aria" else None,
    )
hazard(
    "engine CSV",
    "NULL and empty",
    "h_csv",
    "create table h_csv (id int not null, v varchar(20) not null) engine=CSV",
    "insert into h_csv values (1, 'a,\"b\"'), (2, '')",
    change=("insert into h_csv values (3, 'c')",),
)
hazard(
    "partitioned table",
    "read once per partition",
    "h_partitioned",
    "create table h_partitioned (id int primary key, v varchar(9)) partition by range (id) (partition p0 values less than (10), partition p1 values less than (20), partition p2 values less than maxvalue)",
    "insert into h_partitioned values (1, 'a'), (15, 'b'), (99, null)",
    change=("update h_partitioned set v = 'c' where id = 15",),
)
hazard(
    "system-versioned table",
    "history rows land too",
    "h_versioned",
    "create table h_versioned (id int primary key, v varchar(9)) with system versioning",
    "insert into h_versioned values (1, 'old'), (2, 'gone'), (3, 'x')",
    "update h_versioned set v = 'new' where id = 1",
    "delete from h_versioned where id = 2",
    change=("update h_versioned set v = 'newer' where id = 1",),
    only="mariadb",
)
hazard(
    "system-versioned table, its columns shown",
    "the end of time is out of range",
    "h_versioned_shown",
    "create table h_versioned_shown (id int primary key, v varchar(9), since timestamp(6) generated always as row start, until timestamp(6) generated always as row end, period for system_time (since, until)) with system versioning",
    "insert into h_versioned_shown (id, v) values (1, 'old'), (2, 'gone')",
    "update h_versioned_shown set v = 'new' where id = 1",
    "delete from h_versioned_shown where id = 2",
    change=("insert into h_versioned_shown (id, v) values (3, 'c')",),
    only="mariadb",
)
hazard(
    "view",
    "left out even when asked for",
    "h_view",
    "create view h_view as select id, v, concat(v, '!') as w, cast(null as date) as d, 1.50 as n, id / 3 as third from h_composite_base",
    change=("update h_composite_base set v = 'b' where id = 1",),
)
hazard(
    "a view that groups",
    "rows counted twice",
    "h_view_groups",
    "create view h_view_groups as select v, count(*) as n, sum(id) as total, max(d) as d from h_composite_base group by v",
)
hazard(
    "a view of many expressions",
    "types that no table has",
    "h_view_expressions",
    "create view h_view_expressions as select a.id, null as n, 1 as one, 'x' as x, x'00ff' as b, b.id as missing,"
    " 18446744073709551615 as big, 1e0 / 3 as third, sum(a.id) over () as total, maketime(-30, 1, 2) as t,"
    " cast('2004-00-00' as date) as d, point(1, 2) as p, json_array(1, 'a') as j, year('2004-01-01') as y, true as yes"
    " from h_composite_base a left join h_composite_base b on b.id = a.id + 1000",
    kept=None,
    since="8.0.2",
)
hazard(
    "a view whose table is gone",
    "takes the other tables down",
    "h_view_broken",
    "create table h_gone (id int)",
    "create view h_view_broken as select * from h_gone",
    "drop table h_gone",
    ends="named",
)
hazard(
    "a view that fails while it is read",
    "what came before the error counts as all",
    "h_view_fails",
    "create view h_view_fails as select id, if(id > 290000, (select 1 union select 2), id) as v from h_numbers",
    ends="named",
)
hazard(
    "a table without its file",
    "takes the other tables down",
    "h_discarded",
    "create table h_discarded (id int primary key)",
    "alter table h_discarded discard tablespace",
    ends="named",
)
hazard(
    "a table whose parts do not fit",
    "takes the other tables down",
    "h_merge",
    "create table h_part (id int not null) engine=MyISAM",
    "create table h_merge (id int not null, v int) engine=MERGE union=(h_part)",
    ends="named",
)
hazard(
    "sequence",
    "fails as a table",
    "h_after_sequence",
    "create sequence h_sequence",
    "create table h_after_sequence (id int primary key default nextval(h_sequence), v int)",
    "insert into h_after_sequence (v) values (1), (2)",
    change=("delete from h_after_sequence where v = 1",),
    only="mariadb",
)
hazard(
    "triggers",
    "run by the reader",
    "h_trigger",
    "create table h_trigger_log (id int auto_increment primary key, v int)",
    "create table h_trigger (id int primary key, v int)",
    "create trigger h_before before insert on h_trigger for each row insert into h_trigger_log (v) values (new.v)",
    "insert into h_trigger values (1, 1), (2, 2)",
    change=("update h_trigger set v = 9 where id = 1",),
)
hazard(
    "foreign keys in a ring",
    "an order of loading that does not exist",
    "h_ring_a",
    "create table h_ring_a (id int primary key, b int)",
    "create table h_ring_b (id int primary key, a int, foreign key (a) references h_ring_a (id))",
    "insert into h_ring_a values (1, 1)",
    "insert into h_ring_b values (1, 1)",
    "alter table h_ring_a add foreign key (b) references h_ring_b (id)",
    change=("update h_ring_a set b = null",),
)
hazard(
    "300,000 tiny rows",
    "batches lost or doubled",
    "h_numbers",
    change=("update h_numbers set v = 0 where id in (1, 150000, 300000)", "delete from h_numbers where id = 249999"),
)
hazard(
    "300,000 rows of nothing",
    "empty lines",
    "h_nothing",
    "create table h_nothing (v char(1))",
    "insert into h_nothing select null from h_numbers",
    change=("insert into h_nothing values ('')",),
)

# limits of the server

hazard(
    "a row longer than max_allowed_packet",
    "NULL, and nobody is told",
    "h_too_long",
    "create table h_too_long (id int primary key, v longblob)",
    f"insert into h_too_long values (1, 'a'), (2, repeat('b', {PACKET_LIMIT // 2 + 1000})), (3, 'c')",
    ends="named",
)
hazard(
    "one column longer than max_allowed_packet",
    "NULL, and nobody is told",
    "h_too_long_alone",
    "create table h_too_long_alone (v longblob)",
    f"insert into h_too_long_alone values ('a'), (repeat('b', {PACKET_LIMIT // 2 + 1000}))",
    ends="named",
)
hazard(
    "a text that grows over max_allowed_packet",
    "NULL, and nobody is told",
    "h_too_long_text",
    "create table h_too_long_text (v longtext)",
    f"insert into h_too_long_text values ('a'), (repeat('\"', {PACKET_LIMIT * 4 // 5}))",
    ends="named",
)
hazard(
    "an original that grows over max_allowed_packet",
    "NULL, and the original is lost",
    "h_too_long_original",
    "create table h_too_long_original (v longtext, w int)",
    f"insert into h_too_long_original values ('a', 1), (concat(repeat('b', {PACKET_LIMIT // 2 + 1000}), x'00'), 2)",
    ends="named",
)

# the server itself; judged on tables from above

hazard("server in time zone +09:00", "TIMESTAMP moves by nine hours", "h_timestamp")
hazard("server with sql_select_limit 3", "only the first rows are read", "h_bit_8_")
hazard(
    "server with sql_mode of ANSI_QUOTES, NO_BACKSLASH_ESCAPES, PIPES_AS_CONCAT",
    "SELECT and its quotes are read differently",
    "h_quotes_and_commas",
)
hazard(
    "server with sql_mode PAD_CHAR_TO_FULL_LENGTH",
    "CHAR arrives with its padding",
    "h_char__trailing_blanks",
    only="mariadb",
)
hazard("server that runs SET NAMES latin1 for each login", "every text is broken", "h_emoji")

FIRST = (
    "create table h_numbers (id int primary key, v int)",
    f"insert into h_numbers select (a.seq - 1) * 500 + b.seq, a.seq from {numbers(600, 'a')} join {numbers(500, 'b')}",
    "create table h_composite_base (id int primary key, v varchar(9), d date)",
    "insert into h_composite_base values (1, 'a', '2004-01-01'), (2, 'a', null), (3, null, '2004-01-03')",
)
"""What other tables are made from."""

SERVER = {
    "time_zone": "'+09:00'",
    "sql_select_limit": "3",
    "max_allowed_packet": str(PACKET_LIMIT),
    "sql_mode": "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH,STRICT_ALL_TABLES'",
    "init_connect": "'SET NAMES latin1'",
}
"""Global settings while the schema is landed."""
