"""What changed in the source's schema is judged before a row is read; end to end, and the rules one by one."""

import dataclasses
import re
from collections.abc import Sequence

import pytest

from landing.columns import ColumnPlan, LineFormat, SourceColumn, SourceTable, TablePlan, WarehouseType
from landing.drift import DriftVerdict, KnownColumn, judge, vanished
from landing.mysql.text import text_of
from landing.mysql.types import holds
from landing.report import LandingReport, TableReport
from tests.conftest import Lane

# the rules


def planned(columns: Sequence[tuple[str, str]], key: Sequence[str] = (), table: str = "items") -> TablePlan:
    source = [
        SourceColumn(name, kind.split("(")[0].split()[0], kind, None, True, key.index(name) + 1 if name in key else 0)
        for name, kind in columns
    ]
    named = []
    for column in source:
        sent = text_of(column, LineFormat("crc32"))
        named.append(ColumnPlan(column, column.name, sent, WarehouseType(sent.type)))
    return TablePlan(SourceTable(table, tuple(source), 0, True), "items", tuple(named), "items")


def known(table: TablePlan) -> list[KnownColumn]:
    return [
        KnownColumn(
            table.source.name,
            column.source.name,
            column.source.column_type,
            column.name,
            column.type.raw_type,
            column.source.key_position,
        )
        for column in table.columns
    ]


def change(old: str, new: str) -> DriftVerdict:
    return judge(planned([("v", new)]), known(planned([("v", old)])), holds)


def test_the_first_landing_is_new() -> None:
    assert judge(planned([("id", "int(11)")]), [], holds).is_new


def test_nothing_changed_is_nothing() -> None:
    table = planned([("id", "int(11)"), ("v", "varchar(9)")], key=["id"])
    assert judge(table, known(table), holds) == DriftVerdict()


@pytest.mark.parametrize(
    ("old", "new", "raw_grows"),
    [
        ("int(11)", "bigint(20)", True),
        ("tinyint(4)", "smallint(6)", False),
        ("tinyint(3) unsigned", "smallint(6)", False),
        ("int(10) unsigned", "bigint(20)", False),
        ("bigint(20)", "decimal(20,0)", True),
        ("int(11)", "int(11) zerofill", False),
        ("decimal(10,2)", "decimal(12,2)", True),
        ("decimal(10,2)", "decimal(12,4)", True),
        ("bit(8)", "bit(64)", True),
        ("year(4)", "smallint(6)", False),
        ("float", "double", False),
        ("float(7,4)", "float", False),
        ("double(10,2)", "double", False),
        ("varchar(50)", "varchar(100)", False),
        ("char(10)", "varchar(10)", False),
        ("varchar(50)", "text", False),
        ("text", "longtext", False),
        ("blob", "longblob", False),
        ("datetime", "datetime(6)", False),
        ("time", "time(3)", False),
        ("enum('a','b')", "enum('b','c','a')", False),
        ("set('a')", "set('a','it''s')", False),
        ("point", "geometry", False),
    ],
)
def test_a_wider_type_lands_and_is_reported(old: str, new: str, raw_grows: bool) -> None:
    verdict = change(old, new)
    assert not verdict.breaking and verdict.notes == [f"column v changed from {old} to {new}"]
    assert bool(verdict.widened) == raw_grows


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bigint(20)", "int(11)"),
        ("int(11)", "mediumint(9)"),
        ("smallint(6)", "tinyint(4)"),
        ("tinyint(4)", "tinyint(3) unsigned"),
        ("bigint(20)", "int(10) unsigned"),
        ("smallint(6)", "year(4)"),
        ("int(11)", "bit(40)"),
        ("bit(8)", "bit(4)"),
        ("int(11)", "varchar(20)"),
        ("decimal(12,2)", "decimal(10,2)"),
        ("decimal(12,2)", "decimal(12,4)"),
        ("decimal(12,2)", "decimal(12,2) unsigned"),
        ("decimal(12,2)", "double"),
        ("double", "float"),
        ("double", "double(10,2)"),
        ("double", "double unsigned"),
        ("varchar(100)", "varchar(50)"),
        ("longtext", "text"),
        ("varchar(20)", "time"),
        ("time(6)", "varchar(10)"),
        ("uuid", "varchar(10)"),
        ("varchar(20)", "enum('a')"),
        ("enum('a','b')", "enum('a')"),
        ("datetime(6)", "datetime"),
        ("date", "datetime"),
        ("datetime", "timestamp"),
        ("geometry", "point"),
        ("longblob", "blob"),
        ("blob", "text"),
    ],
)
def test_a_narrower_or_other_type_stops_the_table(old: str, new: str) -> None:
    assert change(old, new).breaking == [f"column v changed from {old} to {new}"]


def test_what_is_gone_renamed_or_of_another_key_stops_the_table() -> None:
    before = known(planned([("id", "int"), ("v", "int")], key=["id"]))
    assert judge(planned([("id", "int")], key=["id"]), before, holds).breaking == ["column v is gone"]
    renamed = judge(planned([("id", "int"), ("w", "int")], key=["id"]), before, holds)
    assert renamed.breaking == ["column v is gone"] and renamed.added == ["w"]
    respelt = [dataclasses.replace(column, source_column=column.source_column.upper()) for column in before]
    assert "column V became v" in judge(planned([("id", "int"), ("v", "int")], key=["id"]), respelt, holds).breaking
    keyed = judge(planned([("id", "int"), ("v", "int")], key=["v", "id"]), before, holds)
    assert keyed.breaking == ["its key changed from (id) to (v, id)"]
    other = judge(planned([("id", "int"), ("v", "int")], key=["id"], table="Items"), before, holds)
    assert other.breaking == ["it is now made from table Items, not items"]


def test_a_raw_column_that_somebody_altered_stops_the_table() -> None:
    before = [
        KnownColumn("items", "v", "bigint(20)", "v", "integer", 0),
        KnownColumn("items", "w", "int(11)", "w", "text", 0),
    ]
    verdict = judge(planned([("v", "bigint(20)"), ("w", "int(11)")]), before, holds)
    assert verdict.widened == ["v"] and verdict.breaking == ["column w lands differently: integer"]


def test_a_table_that_vanished_is_named() -> None:
    before = ["items", "orders"]
    assert vanished(before, {"items"}, set()) == {
        "orders": "the source no longer has it, or MYSQL_USER may not read it"
    }
    assert vanished(before, {"items"}, {"orders"}) == {"orders": "it is a view now, and INGEST_VIEWS is not set"}


# end to end


@pytest.fixture
def shop(lane: Lane) -> Lane:
    lane.execute(
        "create table items (id int primary key, name varchar(50), price decimal(10,2))",
        "insert into items values (1, 'a', 1.50), (2, '', 2.00)",
        "create table orders (id int primary key)",
        "insert into orders values (1)",
    )
    assert lane.land().status == "ok"
    return lane


def of(report: LandingReport, table: str) -> TableReport:
    return next(found for found in report.tables if found.source_table == table)


def test_an_added_column_lands_and_is_reported(shop: Lane) -> None:
    shop.execute(
        "alter table items add column colour varchar(9) default 'red' after id",
        "update items set colour = '' where id = 2",
    )
    report = shop.land()
    assert report.status == "ok" and of(report, "items").notes == ["column colour was added"]
    assert shop.warehouse("select id, name, colour from {raw}.items order by id") == [(1, "a", "red"), (2, "", "")]


def test_wider_types_are_altered_under_a_view_with_a_grant(shop: Lane) -> None:
    role = "pg_monitor"  # any that is there
    shop.warehouse("create view {raw}.dear as select id, name, price * 2 as twice from {raw}.items where price > 1")
    shop.warehouse("create view {raw}.dearer as select * from {raw}.dear")
    shop.warehouse(f"grant select on {{raw}}.dear, {{raw}}.dearer to {role}")
    shop.execute(
        "alter table items modify id bigint, modify name varchar(100), modify price decimal(12,2)",
        "insert into items values (3000000000, repeat('n', 100), 9999999999.99)",
    )
    report = shop.land()
    assert report.status == "ok" and len(of(report, "items").notes) == 3
    assert (of(report, "items").inserted, of(report, "items").updated) == (1, 0)
    kinds = shop.warehouse(
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = '{raw}.items'::regclass and attnum > 0"
    )
    assert kinds[:3] == [("bigint",), ("text",), ("numeric(12,2)",)]
    assert len(shop.warehouse("select * from {raw}.dearer")) == 3
    for view in ("dear", "dearer"):
        assert shop.warehouse(f"select has_table_privilege('{role}', '{{raw}}.{view}', 'select')") == [(True,)]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("alter table items drop column name", "column name is gone"),
        ("alter table items change name title varchar(50)", "column name is gone"),
        ("alter table items modify name varchar(10)", "column name changed from varchar(50) to varchar(10)"),
        ("alter table items modify price decimal(8,2)", "column price changed from decimal(10,2) to decimal(8,2)"),
        ("alter table items modify price varchar(20)", "column price changed from decimal(10,2) to varchar(20)"),
        ("alter table items drop primary key", "its key changed from (id) to ()"),
        ("alter table items drop primary key, add primary key (id, price)", "its key changed from (id) to (id, price)"),
    ],
)
def test_a_breaking_change_stops_its_table_until_it_is_accepted(shop: Lane, statement: str, reason: str) -> None:
    good = shop.warehouse("select *, xmin::text from {raw}.items order by id")
    shop.execute(statement, "insert into items (id) values (3)" if "price)" not in statement else "select 1")
    shop.execute("insert into orders values (2)")

    run = shop.cli()
    assert run.returncode == 1
    assert f"error: items: its definition changed: {reason}" in run.stderr + run.stdout
    assert "--accept-drift" in run.stderr + run.stdout
    assert shop.warehouse("select *, xmin::text from {raw}.items order by id") == good
    assert shop.warehouse("select count(*) from {raw}.orders") == [(2,)]

    accepted = shop.land(accept_drift=True)
    assert accepted.status == "ok" and any(reason in note for note in of(accepted, "items").notes)
    columns = [
        name
        for (name,) in shop.source(
            "select column_name from information_schema.columns where table_schema = database() and table_name = 'items' order by ordinal_position"
        )
    ]
    selected = ", ".join(columns)
    assert shop.warehouse(f"select {selected} from {{raw}}.items order by id") == shop.source(
        f"select {selected} from items order by id"
    )
    assert of(shop.land(), "items").status == "unchanged"


def test_a_table_that_vanished_is_named_until_it_is_let_go(shop: Lane) -> None:
    shop.execute("drop table items", "insert into orders values (2)")
    report = shop.land()
    assert (
        report.status == "failed"
        and "the source no longer has it, or MYSQL_USER may not read it" in of(report, "items").reason
    )
    assert "--accept-drift" in of(report, "items").reason
    assert shop.warehouse("select count(*) from {raw}.items") == [(2,)]
    assert shop.warehouse("select count(*) from {raw}.orders") == [(2,)]
    accepted = shop.cli("--accept-drift")
    assert accepted.returncode == 0 and re.search(r"^items +let go ", accepted.stdout, re.MULTILINE)
    assert f"its last rows stay in {shop.raw}.items" in accepted.stdout
    assert "Landed 1 of 1 tables" in accepted.stdout
    assert shop.warehouse("select count(*) from {raw}.items") == [(2,)]
    assert [table.source_table for table in shop.land().tables] == ["orders"]


def test_a_table_that_was_renamed_is_asked_about(shop: Lane) -> None:
    shop.execute("rename table items to goods", "create table others (id int primary key, name varchar(50))")
    report = shop.land()
    assert "(renamed to goods?)" in of(report, "items").reason and "renamed" not in of(report, "goods").reason
    assert of(report, "goods").status == "landed"
    shop.execute("drop table orders", "create table orders_of_others like goods")
    assert "renamed" not in of(shop.land(), "orders").reason


def test_a_name_does_not_depend_on_what_else_is_asked_for(lane: Lane) -> None:
    lane.execute(
        "create table `order items` (id int primary key)",
        "create table order_items (id int primary key, v int)",
        "insert into order_items values (1, 1)",
    )
    lane.land()
    report = lane.land(include=("order items",), accept_drift=True)
    assert report.status == "ok"
    assert lane.warehouse("select id, v from {raw}.order_items") == [(1, 1)]


def test_a_table_that_became_a_view_is_named(lane: Lane) -> None:
    lane.execute("create table items (id int primary key, v int)", "insert into items values (1, 2)")
    lane.land()
    lane.execute("drop table items", "create view items as select 1 id, 3 v")
    report = lane.land()
    assert report.status == "failed" and "a view now, and INGEST_VIEWS is not set" in of(report, "items").reason
    assert lane.warehouse("select v from {raw}.items") == [(2,)]
    assert "its last rows stay" in of(lane.land(accept_drift=True), "items").notes[0]
    assert lane.land().tables == []


def test_what_lands_hashed_does_not_become_clear_by_itself(lane: Lane) -> None:
    """Nor the other way round: the deletions that are recorded would keep the keys in clear."""
    lane.execute("create table people (email varchar(50) primary key)", "insert into people values ('a@x')")
    hashed = {"INGEST_HASH_COLUMNS": "people.email", "INGEST_HASH_KEY": "k" * 40}
    clear: dict[str, str] = {}
    for before, after in ((clear, hashed), (hashed, clear)):
        lane.land(before, accept_drift=True)
        rows = lane.warehouse("select email from {raw}.people")
        assert "hash of varchar(50)" in of(lane.land(after), "people").reason
        assert lane.warehouse("select email from {raw}.people") == rows
        assert lane.land(after, accept_drift=True).status == "ok"
        assert (lane.warehouse("select email from {raw}.people") == [("a@x",)]) == (after == clear)
        assert lane.warehouse("select row_key from {raw}._landing_deletions") == []


def test_a_hashed_column_of_another_type_stops_its_table(lane: Lane) -> None:
    hashed = {"INGEST_HASH_COLUMNS": "items.v", "INGEST_HASH_KEY": "k" * 40}
    lane.execute("create table items (id int primary key, v int)", "insert into items values (1, 1)")
    lane.land_one(hashed)
    lane.execute("alter table items modify v bigint")
    assert "to hash of bigint" in lane.land_one(hashed).notes[0]
    lane.execute("alter table items modify v varchar(50)")
    assert "to hash of varchar(50)" in of(lane.land(hashed), "items").reason


def test_a_table_that_would_take_anothers_name_is_named(lane: Lane) -> None:
    lane.execute(
        "create table items (id int primary key)",
        "create table Items (id int primary key)",
        "insert into items values (1)",
        "insert into Items values (2)",
    )
    lane.land()
    ((other,),) = lane.warehouse("select table_name from {raw}._landing_columns where source_table = 'Items'")
    lane.execute("drop table items")
    report = lane.land()
    assert f"it landed as {other} before" in of(report, "Items").reason
    assert "the source no longer has it, or MYSQL_USER may not read it" in of(report, "items").reason
    report = lane.land(accept_drift=True)
    assert report.status == "ok" and "another table lands as items now" in of(report, "items").notes[0]
    assert any(f"landed as {other} before, whose rows stay" in note for note in of(report, "Items").notes)
    assert lane.warehouse("select id from {raw}.items") == [(2,)]
    assert lane.warehouse(f"select id from {{raw}}.{other}") == [(2,)]
    (table,) = lane.land().tables
    assert (table.source_table, table.status) == ("Items", "unchanged")


@pytest.mark.parametrize("only", [None, ("Foo-Bar",)])
def test_a_table_whose_name_another_takes_lands_under_a_new_one(lane: Lane, only: tuple[str, ...] | None) -> None:
    lane.execute("create table `Foo-Bar` (id int primary key)", "insert into `Foo-Bar` values (1), (2)")
    lane.land()
    lane.execute("create table foo_bar (id int primary key)", "insert into foo_bar values (3)")
    assert lane.land().status == "failed"
    assert lane.land(accept_drift=True, include=only).status == "ok"
    assert lane.land(accept_drift=True).status == "ok"
    names = dict(lane.warehouse("select source_table, table_name from {raw}._landing_columns"))
    assert names["foo_bar"] == "foo_bar"
    assert lane.warehouse("select id from {raw}.foo_bar") == [(3,)]
    assert lane.warehouse(f"select id from {{raw}}.{names['Foo-Bar']} order by id") == [(1,), (2,)]


def test_what_a_rebuild_takes_is_recorded(shop: Lane) -> None:
    """Else whatever is built on the raw table would keep the rows that are gone."""
    shop.land()
    shop.execute("delete from items where id = 1", "alter table items modify price decimal(9,1)")
    shop.land(accept_drift=True)
    recorded = "select row_key::json->>'id' from {raw}._landing_deletions where table_name = 'items' order by 1"
    assert shop.warehouse(recorded) == [("1",)]
    shop.execute("alter table items drop primary key, drop column id")
    shop.land(accept_drift=True)
    assert shop.warehouse(recorded) == [("1",), ("2",)]
    shop.execute("alter table items modify price decimal(8,1)", "delete from items")
    shop.land(accept_drift=True)
    assert shop.warehouse(recorded) == [("1",), ("2",)], "without a key nothing tells rows apart"


def test_a_table_is_followed_until_another_has_landed_in_its_place(lane: Lane) -> None:
    lane.execute("create table Items (id int primary key)", "insert into Items values (1), (2)")
    lane.land()
    lane.execute("rename table Items to items", "delete from items where id = 1")
    holder = lane.servers.mysql(lane.database)
    with holder.cursor() as cursor:
        cursor.execute("lock tables items write")
    report = lane.land({"INGEST_STATEMENT_TIMEOUT_SECONDS": "2"}, accept_drift=True)
    assert "it could not be read" in of(report, "items").reason
    holder.close()
    assert lane.warehouse("select distinct source_table from {raw}._landing_columns") == [("Items",)]
    assert lane.land(accept_drift=True).status == "ok"
    assert lane.warehouse("select id from {raw}.items") == [(2,)]
