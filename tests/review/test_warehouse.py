"""A review on the landing and the history of another warehouse, which it may only read."""

from collections.abc import Iterator

import pytest

from sandbox import home, postgres
from tests.review.conftest import Clone

SNAPSHOT = "snapshots.snap_customers"


@pytest.fixture
def address(clone: Clone) -> Iterator[str]:
    """Of the test's warehouse, for the analyst, who may read its raw tables and one snapshot for once."""
    environment = clone.servers.environment
    clone.edit(
        "models/marts/metrics_by_territory.sql",
        "left join customers on fct_orders.customer_key = customers.customer_key",
        "left join customers on customers.customer_key = fct_orders.customer_key",
    )
    if clone.query("select to_regclass('review_base_snapshots.snap_customers')") == [(None,)]:
        clone.review()  # the first of this run: it makes the history that is the warehouse's here
    clone.query("create schema if not exists snapshots")
    clone.query(f"create table {SNAPSHOT} as select * from review_base_snapshots.snap_customers")
    clone.query(f"update {SNAPSHOT} set city = 'Bergen' where dbt_valid_to is not null")
    clone.query("grant usage on schema raw_classicmodels, snapshots to analyst")
    clone.query("grant select on all tables in schema raw_classicmodels, snapshots to analyst")
    host, port, name = (environment[key] for key in ("PGHOST", "PGPORT", "PGDATABASE"))
    password = home.read_state()[postgres.NAME]["roles"]["analyst"]
    yield f"host={host} port={port} dbname={name} user=analyst password={password}"
    clone.query("revoke select on all tables in schema raw_classicmodels, snapshots from analyst")
    clone.query("revoke usage on schema raw_classicmodels, snapshots from analyst")
    clone.query(f"drop table {SNAPSHOT}")


def test_another_warehouse_is_read_and_never_written(clone: Clone, address: str) -> None:
    state = "select nspname, relname, relowner, relfilenode from pg_class join pg_namespace n on n.oid = relnamespace"
    there = f"{state} where nspname in ('raw_classicmodels', 'snapshots') order by 1, 2"
    before = clone.query(there)

    reviewed = clone.review(WAREHOUSE=address)

    assert clone.query(there) == before, "and its login could write nothing"
    assert (reviewed.code, reviewed.verdict.splitlines()[2:]) == (0, ["**No change in data.**"])
    assert "copied from the warehouse named" in reviewed.markdown
    assert "snap_customers" not in reviewed.markdown, "its history is that of the warehouse, not made here"
    ((cities,),) = clone.query("select count(*) from review_base_snapshots.snap_customers where city = 'Bergen'")
    assert cities > 100
    copied = clone.query("select customer_number, customer_name, phone, credit_limit from review_base_raw.customers")
    own = clone.query("select customer_number, customer_name, phone, credit_limit from raw_classicmodels.customers")
    assert len(copied) == len(own) == 122
    assert {(number, limit) for number, _, _, limit in copied} == {(number, limit) for number, _, _, limit in own}
    clear = {text for _, name, phone, _ in own for text in (name, phone)}
    assert not clear & {text for _, name, phone, _ in copied for text in (name, phone)}
    history = "select contact_last_name from review_base_snapshots.snap_customers"
    assert not {name for (name,) in clone.query(history)} & {
        name for (name,) in clone.query("select contact_last_name from raw_classicmodels.customers")
    }
