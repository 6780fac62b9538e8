"""What else may be found in the warehouse: locks, views, grants, tables altered by hand."""

import time
from typing import Any

import pytest

from sandbox import home, postgres
from tests.faults.conftest import Result
from tests.faults.shop import CANARY, Shop
from tests.faults.test_kill_the_loader import CLEANING


def _session(shop: Shop, statement: str) -> Any:
    """An open transaction of somebody else."""
    connection = shop.lane.servers.postgres()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("{raw}", shop.lane.raw))
    return connection


def test_an_old_reader_keeps_what_it_saw(shop: Shop, result: Result) -> None:
    shop.land()
    reader = _session(shop, "set transaction isolation level repeatable read; select count(*) from {raw}.orders")
    shop.change()
    assert shop.start().end() == 0
    shop.runs += 1
    with reader.cursor() as cursor:
        cursor.execute(f"select count(*) from {shop.lane.raw}.order_lines")
        assert cursor.fetchone() == (1200,)
    reader.close()
    shop.is_exact()
    result.seen = "a transaction that began before sees the old rows, one that began after the new"
    shop.heals()
    result.healed = "exact"


LOCKS = {
    "a reader, where a column is to be added": (
        "select count(*) from {raw}.orders",
        "alter table orders add column extra int default 7",
    ),
    "a table lock": ("lock table {raw}.orders in exclusive mode", "select 1"),
    "a row lock": ("select * from {raw}.orders where id in (3, 10) for update", "select 1"),
    "a lock on the records": ("lock table {raw}._landing_runs in access exclusive mode", "select 1"),
}


@pytest.mark.parametrize("what", LOCKS)
def test_a_lock_is_not_waited_for_for_ever(shop: Shop, result: Result, what: str) -> None:
    statement, alteration = LOCKS[what]
    shop.land()
    before = shop.source()
    shop.change()
    shop.lane.execute(alteration)
    holder = _session(shop, statement)
    started = time.monotonic()
    landing = shop.start(environment={"INGEST_LOCK_WAIT_SECONDS": "1"})
    assert landing.end() == 3, landing.said()
    assert time.monotonic() - started < 10
    assert "another session holds a lock on a table of" in landing.said()
    holder.close()
    assert shop.raw() == before
    result.scenario = f"in the way: {what}"
    shop.heals()
    result.healed = "exact"


def test_a_leftover_staging_schema_that_somebody_reads(shop: Shop, result: Result) -> None:
    shop.land()
    shop.change()
    shop.lane.execute("insert into customers (id, name) values (777, 'x')")
    landing = shop.start(at=CLEANING)
    landing.wait()
    landing.kill()
    shop.runs += 1
    holder = _session(shop, f"select * from landing_{shop.lane.database}.customers")
    landing = shop.start(environment={"INGEST_LOCK_WAIT_SECONDS": "1"})
    assert landing.end() == 3 and "holds a lock" in landing.said(), landing.said()
    holder.close()
    shop.heals()
    result.healed = "exact"


def test_views_and_grants_stay(shop: Shop, result: Result) -> None:
    shop.land()
    raw = shop.lane.raw
    shop.lane.warehouse(
        "set role fault; create view {raw}.big_orders as select id, line_count from {raw}.orders where total > 100;"
        "grant select on {raw}.orders, {raw}.big_orders to public"
    )
    shop.change()
    shop.lane.execute("alter table orders modify line_count bigint not null")  # the raw column grows under the view
    landing = shop.start()
    assert landing.end() == 0, landing.said()
    shop.runs += 1
    assert shop.lane.warehouse("select count(*) from {raw}.big_orders") == [
        tuple(row) for row in shop.lane.source("select count(*) from orders where total > 100")
    ]
    for name in ("orders", "big_orders"):
        assert shop.lane.warehouse(f"select has_table_privilege('pg_monitor', '{raw}.{name}', 'select')") == [(True,)]
    shop.lane.warehouse("set role fault; drop view {raw}.big_orders")
    shop.is_exact()
    result.seen = "the view reads the new rows, the grants are there"
    shop.heals()
    result.healed = "exact"


def test_grants_stay_when_a_table_is_made_anew(shop: Shop, result: Result) -> None:
    """Default privileges of the raw schema count for new tables, although they are made in the staging schema."""
    shop.land()
    raw = shop.lane.raw
    shop.lane.warehouse(
        "set role fault; grant select on {raw}.orders to pg_monitor;"
        " alter default privileges in schema {raw} grant select on tables to pg_read_all_stats"
    )
    shop.change()
    shop.lane.execute("alter table orders modify total decimal(9,1)", "create table newcomer (id int primary key)")
    landing = shop.start("--accept-drift")
    assert landing.end() == 0, landing.said()
    assert shop.raw() == shop.source()
    for role, table in (("pg_monitor", "orders"), ("pg_read_all_stats", "orders"), ("pg_read_all_stats", "newcomer")):
        assert shop.lane.warehouse(f"select has_table_privilege('{role}', '{raw}.{table}', 'select')") == [(True,)]
    assert shop.lane.warehouse(f"select has_table_privilege('pg_monitor', '{raw}.customers', 'select')") == [(False,)]
    shop.nothing_leaked()
    result.seen, result.healed = "the grants are there", "exact"


BY_HAND = {
    "a column was dropped": "alter table {raw}.orders drop column total",
    "a column was added": "alter table {raw}.orders add column note text",
    "rows were deleted": "delete from {raw}.orders where id < 50",
    "rows were added": f"insert into {{raw}}.orders values (70001, 1, now(), 1, 1, now()), (70002, 1, now(), 1, 1, now())",  # noqa: F541
    "a table was truncated": "truncate {raw}.order_lines",
    "a table was dropped": "drop table {raw}.order_lines",
    "the state was lost": "truncate {raw}._landing_state",
    "a table was dropped with its records": (
        "drop table {raw}.orders; delete from {raw}._landing_columns where table_name = 'orders';"
        "delete from {raw}._landing_state where table_name = 'orders'"
    ),
    "the staging schema was made by hand": "create schema {staging}; create table {staging}.orders (x int)",
}


@pytest.mark.parametrize("changed", [True, False], ids=["source changed", "source unchanged"])
@pytest.mark.parametrize("what", BY_HAND)
def test_altered_by_hand_and_made_good_by_a_plain_run(shop: Shop, result: Result, what: str, changed: bool) -> None:
    shop.land()
    shop.lane.warehouse(f"set role fault; {BY_HAND[what]}".replace("{staging}", f"landing_{shop.lane.database}"))
    if changed:
        shop.change()
    landing = shop.start()
    assert landing.end() == 0, landing.said()
    assert shop.raw() == shop.source()
    shop.nothing_is_left()
    shop.nothing_leaked()
    result.scenario = f"by hand: {what}, {'and the source changed' if changed else 'the source did not change'}"
    result.seen, result.healed = "-", "exact"


NAMED = {
    "a key column was dropped": ("alter table {raw}.orders drop column id", "orders"),
    "a column got another type": ("alter table {raw}.orders alter column line_count type text", "orders"),
    "a view stands where a table was": ("drop table {raw}.log; create view {raw}.log as select 1 as x", "log"),
    "our column was dropped": ("alter table {raw}.orders drop column _loaded_at", "orders"),
    "a column that must be filled was added": ("alter table {raw}.orders add column must text not null default ''; "
        "alter table {raw}.orders alter column must drop default", "orders"),
}  # fmt: skip


@pytest.mark.parametrize("what", NAMED)
def test_altered_by_hand_and_named(shop: Shop, result: Result, what: str) -> None:
    """What a landing cannot tell from somebody's intention is named, with what to do; the other tables land."""
    statement, table = NAMED[what]
    shop.land()
    shop.change()
    shop.lane.warehouse(f"set role fault; {statement}")
    landing = shop.start()
    assert landing.end() == 1 and f"error: {table}: " in landing.said(), landing.said()
    assert shop.raw(without=table) == {name: rows for name, rows in shop.source().items() if name != table}
    result.scenario = f"by hand: {what}"
    result.seen = f"{table} named, the others new"
    kind = "view" if "view" in what else "table"
    shop.lane.warehouse(f"set role fault; drop {kind} {{raw}}.{table}")
    again = shop.start()
    assert again.end() == 0, again.said()
    assert shop.raw() == shop.source()
    result.healed = "exact once the raw table is dropped"


MADE_ON_IT = {
    "trigger": (
        "create function {raw}.keep() returns trigger language plpgsql as 'begin return null; end';"
        "create trigger keep before delete or update on {raw}.orders for each row execute function {raw}.keep()",
        "drop trigger keep on {raw}.orders",
    ),
    "rule": ("create rule keep as on delete to {raw}.orders do instead nothing", "drop rule keep on {raw}.orders"),
    "child table": ("create table {raw}.child () inherits ({raw}.orders)", "drop table {raw}.child"),
    "deferrable constraint": (
        "alter table {raw}.orders add unique (id) deferrable initially deferred",
        "alter table {raw}.orders drop constraint orders_id_key",
    ),
    "row level security": (
        "create policy partly on {raw}.orders using (id > 100); alter table {raw}.orders enable row level security;"
        "alter table {raw}.orders force row level security",
        "alter table {raw}.orders no force row level security",
    ),
}


@pytest.mark.parametrize("what", MADE_ON_IT)
def test_what_would_interfere_is_named(shop: Shop, result: Result, what: str) -> None:
    """Else a row would stay, or be hidden, and no later landing would notice."""
    make, undo = MADE_ON_IT[what]
    shop.land()
    before = shop.source()
    shop.lane.warehouse(f"set role fault; {make}")
    shop.change()
    landing = shop.start()
    assert landing.end() == 1, landing.said()
    assert (
        "error: orders: it could not be published. The last good rows are untouched; drop what was made"
        in landing.said()
    )
    assert f"by hand: {what}" in landing.said(), landing.said()
    shop.lane.warehouse(f"set role fault; {undo}")
    assert shop.raw() == shop.source() | {"orders": before["orders"]}
    result.scenario = f"by hand: {what} on a raw table"
    result.seen = "orders named, and as before; the others new"
    shop.runs += 1
    shop.heals()
    result.healed = "exact"


@pytest.mark.parametrize("how", ["a wider column", "--accept-drift"])
def test_row_level_security_is_not_lost(shop: Shop, result: Result, how: str) -> None:
    """A table that is made anew has no policies: whoever reads it through a view of theirs would see all rows."""
    shop.land()
    shop.lane.warehouse(
        "set role fault; create policy partly on {raw}.orders for select using (id > 100);"
        " alter table {raw}.orders enable row level security; grant usage on schema {raw} to pg_monitor;"
        " grant select on {raw}.orders to pg_monitor"
    )
    administrator = postgres.connect(home.read_state()[postgres.NAME])
    with administrator, administrator.cursor() as cursor:
        view = f"{shop.lane.raw}.theirs"
        cursor.execute(f"create view {view} as select line_count from {shop.lane.raw}.orders")
        cursor.execute(f"alter view {view} owner to pg_monitor; grant select on {view} to public")
    administrator.close()
    change = "total decimal(9,1)" if how == "--accept-drift" else "line_count bigint not null"
    shop.lane.execute(f"alter table orders modify {change}")
    landing = shop.start(*[how] if how == "--accept-drift" else [])
    assert landing.end() == 1, landing.said()
    assert (
        "error: orders: it could not be published. The last good rows are untouched; its raw table has row level"
        in landing.said()
    )
    assert shop.lane.warehouse("select count(*) from {raw}.theirs") == [(300,)]
    result.scenario, result.seen = f"row level security on a raw table, {how}", "named, and as before"
    shop.lane.warehouse("drop policy partly on {raw}.orders; alter table {raw}.orders disable row level security")
    assert shop.start(*[how] if how == "--accept-drift" else []).end() == 0
    assert shop.raw() == shop.source()
    result.healed = "exact once the policy is dropped"


def test_views_keep_their_options(shop: Shop, result: Result) -> None:
    shop.land()
    shop.lane.warehouse(
        "set role fault; create view {raw}.mine with (security_invoker = true, security_barrier = true)"
        " as select line_count from {raw}.orders"
    )
    shop.lane.execute("alter table orders modify line_count bigint not null")
    assert shop.start().end() == 0
    options = "select reloptions from pg_class where oid = '{raw}.mine'::regclass"
    assert shop.lane.warehouse(options) == [(["security_invoker=true", "security_barrier=true"],)]
    shop.lane.warehouse("drop view {raw}.mine")
    assert shop.raw() == shop.source()
    result.seen, result.healed = "the view has them", "exact"


def test_rows_that_somebody_changes_meanwhile(shop: Shop, result: Result) -> None:
    shop.land()
    before = shop.source()
    shop.lane.warehouse("alter table {raw}.orders add column note text")
    shop.change()
    holder = _session(shop, "update {raw}.orders set note = 'x' where id = 10")
    landing = shop.start()
    waiting = "select count(*) from pg_stat_activity where application_name = 'landing' and wait_event_type = 'Lock'"
    for _ in range(100):
        if shop.lane.warehouse(waiting) == [(1,)]:
            break
        time.sleep(0.1)
    holder.commit()
    holder.close()
    assert landing.end() == 1, landing.said()
    assert "error: orders: " in landing.said() and "another session changed rows of its raw table" in landing.said()
    shop.lane.warehouse("alter table {raw}.orders drop column note")
    assert shop.raw() == shop.source() | {"orders": before["orders"]}
    result.seen = "orders named, and as before; the others new"
    shop.runs += 1
    shop.heals()
    result.healed = "exact"


def test_values_changed_by_hand_are_found_by_full(shop: Shop, result: Result) -> None:
    shop.land()
    shop.lane.warehouse("update {raw}.orders set total = 0 where id < 20; delete from {raw}.log where line like '%9'")
    assert shop.start("--full").end() == 0
    assert shop.raw() == shop.source()
    shop.nothing_leaked()
    result.seen, result.healed = "-", "exact with --full"


def test_as_of_before_the_last_landing(shop: Shop, result: Result) -> None:
    shop.land()
    before = shop.source()
    shop.change()
    landing = shop.start(environment={"AS_OF": "2001-01-01"})
    assert landing.end() == 2
    assert "error: AS_OF=2001-01-01T00:00:00+00:00 is before the last landing" in landing.said()
    assert shop.raw() == before
    shop.heals()
    result.healed = "exact"


def test_a_run_record_is_never_ahead_of_its_rows(shop: Shop, result: Result) -> None:
    """A row whose text is longer than an index, a page and a chunk, next to a landing that is killed."""
    shop.lane.execute("create table long_ones (id int primary key, body longtext)")
    shop.lane.execute(f"insert into long_ones values (1, repeat('{CANARY}', 500000))")
    shop.land()
    shop.lane.execute(f"update long_ones set body = concat(body, '{CANARY}')")
    landing = shop.start(at=CLEANING)
    landing.wait()
    landing.kill()
    shop.runs += 1
    assert shop.raw() == shop.source()
    shop.heals()
    result.healed = "exact"
