"""DDL on the source while a landing is at work."""

import pytest

from tests.faults.conftest import Result
from tests.faults.shop import Shop
from tests.faults.test_kill_the_loader import PLANNED, SNAPSHOT

CHANGES = {
    "a column is added": ("alter table orders add column extra int default 7",),
    "a column is added by a rebuild": ("alter table orders add column extra int default 7, algorithm=copy",),
    "a column is widened": ("alter table orders modify line_count bigint not null",),
    "rows are rewritten": ("alter table orders force",),
    "a table is truncated": ("truncate orders",),
    "a table is emptied and made anew": (
        "drop table orders",
        "create table orders (id int primary key, customer_id int not null, placed datetime(6) not null,"
        " line_count int not null, total decimal(12,2) not null)",
    ),
    "tables change places": (
        "create table orders_new like orders",
        "insert into orders_new select * from orders where id < 10",
        "rename table orders to orders_old, orders_new to orders",
        "drop table orders_old",
    ),
}


@pytest.mark.parametrize("point", [SNAPSHOT, PLANNED], ids=str)
@pytest.mark.parametrize("what", CHANGES)
def test_while_it_is_read(shop: Shop, result: Result, what: str, point: object) -> None:
    """The table lands as it was in the snapshot, or as it is named in an error; never half, never empty."""
    shop.land()
    before = shop.source()
    shop.change()
    snapshot = shop.source()
    landing = shop.start(at=point)  # type: ignore[arg-type]
    landing.wait()
    shop.lane.execute(*CHANGES[what])
    landing.go()
    code = landing.end()
    raw = shop.raw()
    if code == 0:
        assert raw == snapshot
        result.seen = "the rows of the snapshot, whole"
    else:
        assert code == 1 and "error: orders: " in landing.said(), landing.said()
        assert "Traceback" not in landing.said()
        assert raw == snapshot | {"orders": before["orders"]}
        result.seen = "orders named, and as before; the others new"
    shop.runs += 1
    result.scenario = f"DDL {point}: {what}"
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("what", ["a column is added by a rebuild", "a table is emptied and made anew"])
def test_while_it_is_read_for_the_first_time(shop: Shop, result: Result, what: str) -> None:
    snapshot = shop.source()
    landing = shop.start(at=PLANNED)
    landing.wait()
    shop.lane.execute(*CHANGES[what])
    landing.go()
    assert landing.end() == 1 and "error: orders: it could not be read" in landing.said(), landing.said()
    del snapshot["orders"]
    assert shop.raw() == snapshot
    result.seen = "orders named, the others whole"
    shop.runs += 1
    shop.heals()
    result.healed = "exact"


def test_a_table_is_dropped(shop: Shop, result: Result) -> None:
    shop.land()
    before = shop.source()
    shop.change()
    snapshot = shop.source()
    landing = shop.start(at=PLANNED)
    landing.wait()
    shop.lane.execute("drop table orders")
    landing.go()
    assert landing.end() == 1 and "error: orders: " in landing.said(), landing.said()
    assert shop.raw() == snapshot | {"orders": before["orders"]}
    again = shop.start()
    assert again.end() == 1 and "--accept-drift" in again.said(), again.said()
    result.seen = "orders named, and as before; the others new"
    accepted = shop.start("--accept-drift")
    assert accepted.end() == 0, accepted.said()
    assert shop.raw() == shop.source() | {"orders": before["orders"]}
    result.healed = "named until --accept-drift; its rows stay"


def test_a_table_that_went_and_came_back(shop: Shop, result: Result) -> None:
    """It is not followed any more, so it is not touched, until that is accepted."""
    shop.land()
    shop.lane.execute("drop table log")
    assert shop.start("--accept-drift").end() == 0
    shop.lane.execute("create table log (line text, logged_at timestamp null)", "insert into log values ('new', null)")
    landing = shop.start()
    assert landing.end() == 1 and "error: log: its definition changed: log is there already" in landing.said()
    result.seen = "named, and as before"
    shop.runs += 3
    assert shop.start("--accept-drift").end() == 0
    assert shop.raw() == shop.source()
    result.healed = "exact with --accept-drift"
