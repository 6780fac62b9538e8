"""What is odd about a source, or about the settings of either server, and once cost a table or a value."""

import os
from collections.abc import Iterator

import pytest

from landing.settings import SettingsError
from sandbox import home, mysql
from tests.conftest import Lane, numbers


def test_a_hashed_key_tells_no_two_rows_apart_that_unicode_does_not(lane: Lane) -> None:
    """Two codes of cp932 are one character, so their hashes are equal: such rows are compared as a whole."""
    lane.execute(
        "create table items (k varchar(5) character set cp932 collate cp932_bin primary key, v int)",
        "insert into items values (x'ED40', 1), (x'FA5C', 2)",
    )
    settings = {"INGEST_HASH_COLUMNS": "items.k", "INGEST_HASH_KEY": "secret"}
    lane.land_one(settings)
    lane.execute("update items set v = 9 where v = 1")
    lane.land_one(settings)
    assert lane.warehouse("select v from {raw}.items order by v") == [(2,), (9,)]
    lane.execute("delete from items where v = 9")
    lane.land_one(settings)
    assert lane.warehouse("select v from {raw}.items") == [(2,)]


def test_a_hash_is_of_key_and_value_whatever_the_key_says(lane: Lane) -> None:
    lane.execute("create table items (id int primary key, v varchar(5))", "insert into items values (1, 'a')")
    lane.land_one({"INGEST_HASH_COLUMNS": "items.v", "INGEST_HASH_KEY": "it's {} \\"})
    ((hashed,),) = lane.source(r"select sha2(concat('it''s {} \\', v), 256) from items")
    assert lane.warehouse("select v from {raw}.items") == [(hashed,)]


def test_a_column_may_have_any_name_where_values_are_kept(lane: Lane) -> None:
    names = ("word", "number", "name", "hexed", "reason", "d", "s", "w")
    lane.execute(
        f"create table items (id int primary key, {', '.join(f'`{name}` int' for name in names)}, day date)",
        "insert into items (id, day) values (1, '0000-00-00')",
    )
    assert lane.land_one().cast_exceptions == 1


def test_names_that_differ_in_their_last_character(lane: Lane) -> None:
    """A table brings a type of its name after an underscore."""
    for number in "12":
        name = "y" * 62 + number
        lane.execute(
            f"create table {name} (id int primary key, v varchar(3))", f"insert into {name} values (1, 'a\\0')"
        )
        assert lane.land().status == "ok"


def test_a_nul_beside_the_end_of_a_file(lane: Lane) -> None:
    """The file that was just filled is not handed over before its last lines were looked at."""
    lane.execute(
        "create table items (id int primary key, v varchar(20))",
        f"insert into items select seq, if(seq = 990, 'x\\0', 'x') from {numbers(3000)}",
    )
    for full in (False, True):
        table = lane.land_one(full_compare=full, chunk_rows=1000)
        assert (table.rows, table.cast_exceptions) == (3000, 1)


def test_a_view_whose_cast_fails_is_null_there(lane: Lane) -> None:
    lane.execute(
        "create table items (id int primary key, v varchar(20))",
        "insert into items values (1, 'a'), (2, '2004-02-29')",
        "create view dated as select id, cast(v as date) d, cast(v as datetime) t from items",
    )
    report = lane.land({"INGEST_VIEWS": "true"})
    assert report.status == "ok", report
    rows = lane.warehouse("select id, d::text, t::text from {raw}.dated order by id")
    assert rows == [(1, None, None), (2, "2004-02-29", "2004-02-29 00:00:00")]


def test_a_long_group_concat_is_whole(lane: Lane) -> None:
    lane.execute(
        "create table items (id int primary key)",
        f"insert into items select seq from {numbers(300000)}",
        "create view joined as select group_concat(id order by id) ids from items",
    )
    lane.execute("set global group_concat_max_len = 16000000")
    lane.land({"INGEST_VIEWS": "true"})
    ((length,),) = lane.source("select sum(length(id)) + count(*) - 1 from items")
    assert lane.warehouse("select length(ids) from {raw}.joined") == [(length,)]


def test_rows_are_those_of_now_whatever_the_server_shows_by_default(lane: Lane) -> None:
    if not lane.servers.is_mariadb:
        pytest.skip("only MariaDB keeps versions of rows")
    lane.execute(
        "create table items (id int primary key) with system versioning",
        "set global system_versioning_asof = '2001-01-01'",
        "insert into items values (1)",
    )
    try:
        assert lane.land_one().rows == 1
    finally:
        lane.execute("set global system_versioning_asof = default")


def test_a_select_that_the_server_would_not_take_fails_its_table_alone(lane: Lane) -> None:
    columns = ", ".join(f"a_column_with_a_name_of_some_length_{number} int" for number in range(300))
    ((room,),) = lane.source("select @@max_allowed_packet")
    lane.execute(f"create table wide ({columns})", "create table items (id int primary key)")
    lane.execute("set global max_allowed_packet = 16384")
    try:
        report = lane.land()
    finally:
        lane.execute(f"set global max_allowed_packet = {room}")
    assert {table.source_table: table.status for table in report.tables} == {"wide": "failed", "items": "landed"}
    assert "longer than the server's max_allowed_packet" in next(t.reason for t in report.tables if t.reason)


def test_a_table_too_wide_says_so(lane: Lane) -> None:
    """One more column, for the time of change, than a row of the warehouse has room for."""
    columns = ", ".join(f"c{number} bigint not null" for number in range(1016))
    lane.execute(
        f"create table wide (id bigint primary key, {columns}) engine = myisam",
        f"insert into wide values (1{', 1' * 1016})",
    )
    assert lane.land_one().inserted == 1
    lane.execute("update wide set c0 = 2")
    (table,) = lane.land().tables
    assert table.status == "failed" and "INGEST_EXCLUDE_COLUMNS" in table.reason


def test_a_column_that_widened_where_no_row_changed_is_reported_once(lane: Lane) -> None:
    lane.execute("create table items (id int primary key, v varchar(5))", "insert into items values (1, 'a')")
    lane.land()
    lane.execute("alter table items modify v varchar(50)")
    assert [bool(lane.land_one().notes) for _ in range(2)] == [True, False]


@pytest.fixture
def odd_role(lane: Lane) -> Iterator[Lane]:
    """The login of the landing, with settings that other programs of the warehouse may need."""
    role = lane.environment["PGUSER"]
    odd = {"standard_conforming_strings": "off", "quote_all_identifiers": "on", "bytea_output": "escape"}
    for name, value in odd.items():
        lane.warehouse(f"alter role {role} set {name} = {value}")
    yield lane
    lane.warehouse(f"alter role {role} reset all")


def test_settings_of_a_role_change_nothing(odd_role: Lane) -> None:
    odd_role.execute(
        "create table items (id binary(2) primary key, v varbinary(9))", r"insert into items values ('\\a', '\\\'')"
    )
    odd_role.land_one()
    odd_role.execute("update items set v = 'b'")
    assert odd_role.land_one().updated == 1
    odd_role.execute("delete from items")
    assert odd_role.land_one().deleted == 1
    assert odd_role.warehouse("select row_key::json->>'id' from {raw}._landing_deletions") == [("\\x5c61",)]


def test_a_table_whose_name_the_terminal_cannot_show(lane: Lane) -> None:
    lane.execute("create table `订单` (id int primary key)")
    environment = dict.fromkeys(("LC_ALL", "LANG"), "C") | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = lane.cli(environment=environment | {"PATH": os.environ["PATH"]})
    assert result.returncode == 0, result.stderr
    assert "\\u8ba2\\u5355" in result.stdout


def test_a_name_with_a_dot_can_be_asked_for(lane: Lane) -> None:
    lane.execute("create table `a.b` (id int primary key, v int)", "create table a (id int)")
    assert [table.source_table for table in lane.land(include=("a.*",)).tables] == ["a.b"]
    assert lane.land({"INGEST_INCREMENTAL": "a.b.v"}, include=("a.b",)).status == "ok"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"INGEST_TABLES": "seen"}, "Views land with INGEST_VIEWS=true"),
        ({"INGEST_EXCLUDE_TABLES": "itmes"}, "INGEST_EXCLUDE_TABLES: itmes fits nothing"),
    ],
)
def test_what_would_land_too_much_or_nothing_is_refused(lane: Lane, setting: dict[str, str], message: str) -> None:
    lane.execute("create table items (id int primary key)", "create view seen as select id from items")
    with pytest.raises(SettingsError, match=message):
        lane.land(setting)
    assert [table.status for table in lane.land({"INGEST_EXCLUDE_TABLES": "tmp_*"}).tables] == ["landed"]


def test_the_environment_changes_no_value(lane: Lane) -> None:
    """libpq takes these variables, and puts them before what a connection's ``options`` say."""
    lane.execute(
        "create table items (id int primary key, v varchar(9), t timestamp, d date)",
        "insert into items values (1, 'é€', '2005-01-02 03:04:05', '2005-01-02')",
    )
    environment = {"PGCLIENTENCODING": "LATIN1", "PGTZ": "Asia/Tokyo", "PGDATESTYLE": "SQL, DMY"}
    assert lane.cli(environment=environment).returncode == 0
    found = lane.warehouse("select v, cast(t at time zone 'UTC' as text), cast(d as text) from {raw}.items")
    assert found == [("é€", "2005-01-02 03:04:05", "2005-01-02")]


@pytest.mark.parametrize(("kind", "other"), [("enum('', 'a')", 0), ("set('', 'a')", 1)])
@pytest.mark.parametrize("key", ["k", "id, k"])
def test_a_key_with_an_empty_member_loses_no_row(lane: Lane, kind: str, other: int, key: str) -> None:
    """Error value and empty member of an enum are both '', as are a set's members 0 and 1."""
    lane.execute(
        f"create table items (id int not null, k {kind} not null, v int, primary key ({key}))",
        "insert into items values (7, '', 1)",
    )
    lane.land_one()
    lane.execute("set sql_mode = ''", f"insert into items values (7, {other}, 2)", "update items set v = 3 where v = 1")
    lane.land_one()
    assert lane.warehouse("select k, v from {raw}.items order by v") == [("", 2), ("", 3)]
    lane.execute("delete from items where v = 3")
    lane.land_one()
    assert lane.warehouse("select k, v from {raw}.items") == [("", 2)]


def test_a_key_that_the_engine_does_not_hold_loses_no_row(lane: Lane) -> None:
    """A MERGE table shows the rows of several tables under a key that each of them holds for itself."""
    lane.execute(
        "create table m1 (id int primary key, v int) engine = myisam",
        "create table m2 like m1",
        "create table items (id int primary key, v int) engine = merge union = (m1, m2)",
        "insert into m1 values (1, 1), (2, 2)",
        "insert into m2 values (1, 1), (3, 3)",
    )
    changes = [
        ("insert into m1 values (4, 4)",),
        ("update m1 set v = 5 where id = 1",),  # raw has the row twice: both would become this one
        ("insert into m2 values (2, 6)",),
        ("update m1 set v = v + 100", "update m2 set v = v + 100"),
        ("delete from m2 where id = 1",),
    ]
    for statements in [(), *changes]:
        lane.execute(*statements)
        for _ in range(2):
            assert lane.land(include=("items",)).status == "ok"
            assert lane.warehouse("select id, v from {raw}.items order by 1, 2") == lane.source(
                "select id, v from items order by 1, 2"
            )


@pytest.mark.parametrize(
    ("charset", "stored", "found"),
    [
        ("big5", b"\xa1\x5a", None),  # without a character in Unicode, which MySQL shows as U+FFFD
        ("tis620", b"A\xa0B", None),
        ("sjis", b"a:\\dir?", "a:\\dir?"),  # a question mark of its own, beside what has two codes
        ("cp932", b"\xfa\x4e?", "Ⅴ?"),
        ("cp932", b"\x85\x40?", None),
        ("eucjpms", b"\xa9\xa1", None),
        # no question mark, but its bytes where two characters meet
        ("ucs2 collate ucs2_bin", b"\x4e\x00\x3f\x41\x00\x3f", "\u4e00\u3f41?"),
        ("utf16 collate utf16_bin", b"\x4e\x00\x3f\x41\x00\x3f", "\u4e00\u3f41?"),
        ("utf16le collate utf16le_bin", b"\x41\x3f\x00\x4e\x3f\x00", "\u3f41\u4e00?"),
        ("utf32 collate utf32_bin", b"\0\x01\xf6\0\0\0\x3f\x41\0\0\0\x3f", "\U0001f600\u3f41?"),
    ],
)
def test_a_text_that_has_no_unicode_is_kept(lane: Lane, charset: str, stored: bytes, found: str | None) -> None:
    lane.execute(
        "set sql_mode = ''",
        f"create table items (id int primary key, v varchar(20) character set {charset})",
        f"insert into items values (1, x'{stored.hex()}')",
    )
    assert lane.land_one().cast_exceptions == (found is None)
    assert lane.warehouse("select v from {raw}.items") == [(found,)]
    if found is None:
        kept = lane.warehouse("select original_text, encoding from {raw}._landing_exceptions")
        assert kept == [(stored.hex(), "hex")]


def test_a_row_that_changed_is_no_deletion_where_whole_rows_are_compared(lane: Lane) -> None:
    lane.execute(
        "set sql_mode = ''",
        "create table items (day date primary key, v int)",
        "insert into items values ('0000-00-00', 1), ('2020-01-01', 1), ('2021-01-01', 1)",
    )
    lane.land_one()
    lane.execute("update items set v = 2 where day = '2020-01-01'", "delete from items where day = '2021-01-01'")
    table = lane.land_one()
    assert (table.inserted, table.updated, table.deleted) == (1, 0, 2)
    recorded = lane.warehouse("select row_key::json->>'day' from {raw}._landing_deletions")
    assert recorded == [("2021-01-01",)]


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        ("create definer = nobody@nowhere view shown as select * from items", "(DEFINER) is not there or may not read"),
        ("create view shown as select id, `one`() as one from items", "GRANT EXECUTE"),
        ("create view shown as select (select id from items) as id", "(SUBQUERY_NO_1_ROW)"),
    ],
)
def test_a_view_that_cannot_be_read_says_why(lane: Lane, view: str, reason: str) -> None:
    lane.execute(
        "create table items (id int primary key)",
        "insert into items values (1), (2)",
        "create function `one`() returns int deterministic return 1",
        view,
    )
    report = lane.land({"INGEST_VIEWS": "true"})
    reasons = {table.source_table: table.reason for table in report.tables}
    assert reasons["items"] == "" and reason in reasons["shown"]


def test_a_view_may_show_minus_zero(lane: Lane) -> None:
    lane.execute(
        "create table items (id int primary key, x decimal(10, 2), y decimal(65, 30), z decimal(65, 0))",
        f"insert into items values (1, -5, {'9' * 35}.{'9' * 30}, -{'9' * 65}), (2, -5.5, 0, 0), (3, null, null, null)",
        "create view rests as select id, mod(x, 5) m, y, z from items",
    )
    report = lane.land({"INGEST_VIEWS": "true"})
    assert report.status == "ok", report
    rows = lane.warehouse("select id, m::text, y::text, z::text from {raw}.rests order by id")
    assert rows == [
        (1, "0.00", f"{'9' * 35}.{'9' * 30}", f"-{'9' * 65}"),
        (2, "-0.50", f"0.{'0' * 30}", "0"),
        (3, None, None, None),
    ]


@pytest.mark.skipif("TEST_MYSQL_HOST" in os.environ, reason="that server cannot be started anew from here")
@pytest.mark.parametrize("option", [0, 1])
def test_a_database_in_other_capitals_is_the_same_where_the_server_says_so(lane: Lane, option: int) -> None:
    lane.execute("create table items (id int primary key)", "insert into items values (1)")
    upper = lane.database.upper()
    assert lane.land().status == "ok"
    folder, state = home.servers_home() / mysql.NAME, home.read_state()[mysql.NAME]
    assert mysql.stop()
    mysql.launch(folder, state, f"--lower-case-table-names={option}")
    try:
        if option:
            lane.execute("insert into items values (2)")
            assert lane.land({"MYSQL_DATABASE": upper}).status == "ok"
            assert lane.warehouse("select count(*) from {raw}.items") == [(2,)]
        else:
            lane.execute(f"create database {upper}", f"grant select on {upper}.* to {lane.servers.account}")
            with pytest.raises(
                SettingsError, match=f"{lane.raw} holds the tables of {lane.database}. Nothing was read"
            ):
                lane.land({"MYSQL_DATABASE": upper})
            lane.execute(f"drop database {upper}")
    finally:
        assert mysql.stop()
        mysql.start()
