"""Every MySQL type has a policy, and the README tells it."""

import re

import pytest

from landing.columns import LineFormat, SentText, SourceColumn
from landing.mysql.text import NoPolicy, hashed, text_of
from landing.mysql.types import TYPES
from tests.conftest import PROJECT, Lane

KNOWN = (
    *("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit"),
    *("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json", "uuid", "inet4", "inet6"),
    *("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"),
    *("date", "datetime", "timestamp", "time", "year"),
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection"),
)
"""What information_schema calls the types of MySQL and MariaDB."""
EXAMPLES = {"decimal": "decimal(10,2)", "bit": "bit(8)", "enum": "enum('a')", "set": "set('a')", "year": "year(4)"}


def sent(column_type: str, charset: str | None = None) -> SentText:
    name = re.split(r"[ (]", column_type)[0]
    return text_of(SourceColumn("v", name, column_type, charset, True, 0), LineFormat("crc32"))


@pytest.mark.parametrize("name", KNOWN)
def test_every_type_has_a_policy(name: str) -> None:
    how = sent(EXAMPLES.get(name, name), "utf8mb4" if "text" in name else None)
    assert how.type and "{}" in how.sent
    assert not how.unfit or how.unfit_reason, "a value that cannot be held needs a reason"


def test_no_other_type_has_one() -> None:
    assert sorted(KNOWN) == TYPES


def test_the_readme_lists_exactly_the_types() -> None:
    """A row of the table opens with the types it is about, in backticks."""
    page = (PROJECT / "landing" / "README.md").read_text(encoding="utf-8")
    table = page.partition("| MySQL type |")[2].partition("\n\n")[0]
    listed = [name for line in table.splitlines()[2:] for name in re.findall("`([a-z0-9]+)`", line.split("|")[1])]
    assert sorted(listed) == sorted(KNOWN)


@pytest.mark.parametrize("column_type", ["xmltype", "row", "int5", ""])
def test_a_type_nobody_knows_is_refused(column_type: str) -> None:
    with pytest.raises(NoPolicy, match="no policy"):
        sent(column_type)


@pytest.mark.parametrize(
    ("column_type", "expected"),
    [
        ("tinyint(4)", "smallint"),
        ("tinyint(3) unsigned", "smallint"),
        ("smallint(5) unsigned zerofill", "integer"),
        ("mediumint(8) unsigned", "integer"),
        ("int(10) unsigned", "bigint"),
        ("bigint(20)", "bigint"),
        ("bigint(20) unsigned", "numeric(20,0)"),
        ("decimal(65,30)", "numeric(65,30)"),
        ("float(7,4)", "double precision"),
        ("bit(63)", "bigint"),
        ("bit(64)", "numeric(20,0)"),
        ("timestamp(6)", "timestamp with time zone"),
        ("datetime", "timestamp without time zone"),
        ("time(3)", "text"),
        ("varchar(10)", "text"),
        ("longblob", "bytea"),
        ("point", "bytea"),
    ],
)
def test_the_raw_type_holds_the_whole_range(column_type: str, expected: str) -> None:
    assert sent(column_type).type == expected


def test_a_hash_is_of_the_value_and_not_of_how_it_travels(lane: Lane) -> None:
    lane.execute(
        "create table t (id int primary key, a varchar(20), b longtext, c date)",
        "insert into t values (1, 'secret', 'secret', '2004-01-01'), (2, null, '', null)",
    )
    lane.land({"INGEST_HASH_COLUMNS": "t.a,t.b,t.c", "INGEST_HASH_KEY": "k"})
    ((a, b, c),) = lane.source("select sha2('ksecret', 256), sha2('k', 256), sha2('k2004-01-01', 256)")
    assert lane.warehouse("select a, b, c from {raw}.t order by id") == [(a, a, c), (None, b, None)]
    assert "secret" not in hashed(sent("longtext", "utf8mb4"), "k").sent


def test_character_sets_that_keep_keys_apart_do(lane: Lane) -> None:
    """What ``tells_apart`` says of the sets of one byte is so: no two codes become the same character in Unicode."""
    tried = []
    for (charset,) in lane.source("select character_set_name from information_schema.character_sets where maxlen = 1"):
        if charset == "binary" or not sent("varchar(9)", charset).tells_apart:
            continue
        codes = ", ".join(f"(x'{code:02x}')" for code in range(1, 256))
        lane.execute(
            "drop table if exists c",
            f"create table c (v varchar(1) character set {charset})",
            f"insert ignore into c values {codes}",
        )
        whole = "v <> '' and (convert(v using utf8mb4) <> '?' or hex(v) = '3F')"
        seen = [text for (text,) in lane.source(f"select hex(convert(v using utf8mb4)) from c where {whole}")]
        assert len(seen) > 90 and len(set(seen)) == len(seen), charset
        tried.append(charset)
    assert len(tried) > 10
