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
