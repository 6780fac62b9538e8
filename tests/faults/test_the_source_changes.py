"""DDL on the source while a landing is at work."""

import threading
import time

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


THERE_BEFORE = {
    "a table made before takes its place": ("create table orders_new like orders",),
    "a partition is exchanged": (
        "alter table orders partition by hash (id) partitions 3",
        "create table spare like orders",
        "alter table spare remove partitioning",
    ),
}
UNSEEN = {  # reading on would tell nothing of these
    "a table made before takes its place": (
        "insert into orders_new select * from orders where id < 10",
        "rename table orders to swap, orders_new to orders, swap to orders_new",
    ),
    "a partition is exchanged": ("alter table orders exchange partition p0 with table spare",),
    "two columns change names": (
        "alter table orders change id line_count int not null, change line_count id int not null",
    ),
    "it goes to an engine without snapshots": ("alter table orders engine = myisam",),
}


@pytest.mark.parametrize("point", [SNAPSHOT, PLANNED], ids=str)
@pytest.mark.parametrize("what", CHANGES | UNSEEN)
def test_while_it_is_read(shop: Shop, result: Result, what: str, point: object) -> None:
    """It waits until all is read: the rows of the snapshot land, whole."""
    shop.lane.execute(*THERE_BEFORE.get(what, ()))
    shop.land()
    shop.change()
    snapshot = shop.source()
    landing = shop.start(at=point)  # type: ignore[arg-type]
    landing.wait()
    altering = _in_the_background(shop, *(CHANGES | UNSEEN)[what])
    landing.go()
    assert landing.end() == 0, landing.said()
    altering.join(60)
    assert not altering.is_alive()
    raw = shop.raw()
    assert {name: raw[name] for name in snapshot} == snapshot
    result.seen = "the rows of the snapshot, whole"
    shop.runs += 1
    result.scenario = f"DDL {point}: {what}"
    if what == "two columns change names":
        assert shop.start().end() == 1
        assert shop.start("--accept-drift").end() == 0
        assert shop.raw() == shop.source()
    else:
        shop.heals()
    result.healed = "exact"


def _in_the_background(shop: Shop, *statements: str) -> threading.Thread:
    """Statements of which one waits for the landing; those that follow it come after."""
    thread = threading.Thread(target=shop.lane.execute, args=statements, daemon=True)
    thread.start()
    waiting = (
        "select count(*) from information_schema.processlist where db = database() and state like '%metadata lock'"
    )
    for _ in range(100):
        if shop.lane.source(waiting) == [(1,)]:
            return thread
        time.sleep(0.1)
    raise AssertionError("it did not wait")


@pytest.mark.parametrize("what", ["a column is added by a rebuild", "a table is emptied and made anew"])
def test_while_it_is_read_for_the_first_time(shop: Shop, result: Result, what: str) -> None:
    snapshot = shop.source()
    landing = shop.start(at=PLANNED)
    landing.wait()
    altering = _in_the_background(shop, *CHANGES[what])
    landing.go()
    assert landing.end() == 0, landing.said()
    altering.join(60)
    assert shop.raw() == snapshot
    result.seen = "the rows of the snapshot, whole"
    shop.runs += 1
    shop.heals()
    result.healed = "exact"


def test_a_table_is_dropped(shop: Shop, result: Result) -> None:
    shop.land()
    shop.change()
    snapshot = shop.source()
    landing = shop.start(at=PLANNED)
    landing.wait()
    dropping = _in_the_background(shop, "drop table orders")
    landing.go()
    assert landing.end() == 0, landing.said()
    dropping.join(60)
    assert shop.raw() == snapshot
    again = shop.start()
    assert again.end() == 1 and "error: orders: " in again.said() and "--accept-drift" in again.said(), again.said()
    result.seen = "the rows of the snapshot, whole"
    accepted = shop.start("--accept-drift")
    assert accepted.end() == 0, accepted.said()
    assert shop.raw() == shop.source() | {"orders": snapshot["orders"]}
    result.healed = "named until --accept-drift; its rows stay"


def test_a_table_that_another_session_has_locked(shop: Shop, result: Result) -> None:
    """It is named, also where the lock goes before its turn comes: it may be another table by then."""
    shop.land()
    before = shop.source()
    holder = shop.lane.servers.mysql(shop.lane.database)
    with holder.cursor() as cursor:
        cursor.execute("lock tables orders write")
    shop.lane.execute("insert into log values ('new', null)")
    landing = shop.start(at=SNAPSHOT, environment={"INGEST_STATEMENT_TIMEOUT_SECONDS": "2"})
    landing.wait()
    holder.close()
    landing.go()
    assert landing.end() == 1, landing.said()
    reasons = ("it took longer than INGEST_STATEMENT_TIMEOUT", "another session holds a lock on it")
    assert any(f"error: orders: it could not be read: {reason}" in landing.said() for reason in reasons)
    assert shop.raw() == shop.source() | {"orders": before["orders"]}
    result.seen = "orders named, and as before; the others new"
    shop.runs += 1
    shop.heals()
    result.healed = "exact"


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
