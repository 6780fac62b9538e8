"""A landing end to end, against real servers."""

import pytest

from tests.conftest import Lane


@pytest.fixture
def shop(lane: Lane) -> Lane:
    lane.execute(
        "create table items (id int primary key, name varchar(20), price decimal(10,2), sold date)",
        "insert into items values (1, 'a', 1.50, '2003-01-01'), (2, '', 2.00, null), (3, null, 3.25, '2004-02-29')",
    )
    return lane


def test_rows_arrive_as_they_are(shop: Lane) -> None:
    report = shop.land()
    assert report.status == "ok"
    rows = shop.warehouse("select id, name, price::text, sold::text from {raw}.items order by id")
    assert rows == [(1, "a", "1.50", "2003-01-01"), (2, "", "2.00", None), (3, None, "3.25", "2004-02-29")]


def test_only_what_differs_is_touched(shop: Lane) -> None:
    shop.land()
    before = dict(shop.warehouse("select id, _loaded_at from {raw}.items"))
    shop.execute(
        "update items set price = 9 where id = 2", "delete from items where id = 3", "insert into items (id) values (4)"
    )
    (table,) = shop.land().tables
    assert (table.inserted, table.updated, table.deleted) == (1, 1, 1)
    after = dict(shop.warehouse("select id, _loaded_at from {raw}.items"))
    assert after[1] == before[1] and after[2] > before[2] and after[4] == after[2] and 3 not in after
    assert shop.warehouse("select table_name, row_key::json->>'id' from {raw}._landing_deletions") == [("items", "3")]


def test_nothing_changed_changes_nothing(shop: Lane) -> None:
    shop.land()
    before = shop.warehouse("select *, ctid, xmin from {raw}.items order by id")
    (table,) = shop.land().tables
    assert (table.status, table.inserted, table.updated, table.deleted) == ("unchanged", 0, 0, 0)
    assert shop.warehouse("select *, ctid, xmin from {raw}.items order by id") == before


@pytest.mark.parametrize("key", ["id int primary key, v varchar(9)", "v varchar(9) primary key, id int"])
def test_two_raw_tables_that_took_each_others_names_are_told_apart(lane: Lane, key: str) -> None:
    for table in ("a", "b"):
        lane.execute(
            f"create table {table} ({key})", f"insert into {table} (id, v) values (1, '{table}1'), (2, '{table}2')"
        )
    incremental = {"INGEST_INCREMENTAL": "a.id,b.id"}
    for settings in ({}, incremental):
        lane.land(settings)
        lane.warehouse(
            "alter table {raw}.a rename to c; alter table {raw}.b rename to a; alter table {raw}.c rename to b"
        )
        assert lane.land(settings).status == "ok"
        assert lane.warehouse("select v from {raw}.a order by v") == [("a1",), ("a2",)]
        assert lane.warehouse("select v from {raw}.b order by v") == [("b1",), ("b2",)]
        assert all((table.inserted, table.updated) == (0, 0) for table in lane.land(settings).tables)


def test_records_of_an_earlier_version_know_no_ids(lane: Lane) -> None:
    lane.execute("create table a (id int primary key)", "insert into a values (1)")
    lane.land()
    lane.warehouse("alter table {raw}._landing_state drop column raw_id")
    assert lane.land_one().status == "unchanged"
    assert lane.warehouse("select raw_id = '{raw}.a'::regclass from {raw}._landing_state") == [(True,)]
