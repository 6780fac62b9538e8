"""Who reads and writes what: asked by logging in as each role, of every table and column there is."""

import re
from typing import Any

import psycopg2
import pytest

from tests.security.conftest import REFUSED, Roles

ROLES = ("ingest", "transform", "analyst", "pii_reader", "service_embedded")
RAW = "raw_classicmodels"
SCHEMAS = {
    RAW,
    "staging",
    "intermediate",
    "snapshots",
    "seeds",
    "marts",
    "marts_masked",
    "quality",
    "access_control",
    "predictions",
}
WRITES = {"ingest": {RAW}, "transform": SCHEMAS - {RAW, "access_control"}}
READS = WRITES | {
    "transform": SCHEMAS,
    "analyst": {"marts_masked"},
    "pii_reader": {"marts"},
    "service_embedded": set[str](),
}
EMBEDDED = {
    "fct_orders": "customer_key",
    "fct_order_lines": "customer_key",
    "fct_open_orders": "customer_key",
    "fct_payments": "customer_key",
    "fct_receivables": "customer_number",
    "fct_customer_balances": "customer_number",
    "dim_customers": "customer_number",
    "orders_obt": "customer_number",
    "dim_products": "",
    "dim_dates": "",
    "dim_order_statuses": "",
}
"""What service_embedded reads some columns of, and what ties a row to a customer."""
SECRETS = {
    "cost_amount",
    "margin_amount",
    "net_cost_amount",
    "net_margin_amount",
    "is_cost_known_at_order_date",
    "buy_price",
}


@pytest.fixture(scope="module")
def columns(roles: Roles) -> list[tuple[str, str, str]]:
    """Every column of the warehouse's own schemas."""
    found = roles.star.query(
        "select nspname, relname, attname from pg_class join pg_namespace n on n.oid = relnamespace"
        " join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped"
        " where relkind in ('r', 'v', 'm', 'p', 'f') and nspname !~ '^pg_' and nspname <> 'information_schema'"
    )
    assert {schema for schema, _, _ in found} == SCHEMAS
    return [(str(schema), str(table), str(column)) for schema, table, column in found]


@pytest.fixture(scope="module")
def personal(roles: Roles) -> dict[tuple[str, str], str]:
    """The personal columns of marts, with their masks."""
    marts = [node for node in roles.star.manifest["nodes"].values() if node["fqn"][1] == "marts" and "columns" in node]
    return {
        (node["name"], name): column["config"]["meta"].get("mask", "initial")
        for node in marts
        if node["resource_type"] == "model"
        for name, column in node["columns"].items()
        if column["config"].get("meta", {}).get("pii")
    }


@pytest.mark.parametrize("role", ROLES)
def test_every_column_is_read_by_whom_it_is_for(
    role: str, roles: Roles, columns: list[tuple[str, str, str]], personal: dict[tuple[str, str], str]
) -> None:
    def is_for(schema: str, table: str, column: str) -> bool:
        if role == "service_embedded":
            hidden = column in SECRETS or (table, column) in personal
            return schema == "marts" and table in EMBEDDED and not hidden
        return schema in READS[role]

    statements = {
        f'select "{column}" from {schema}."{table}" limit 0': (schema, table, column)
        for schema, table, column in columns
    }
    allowed = {statements[statement] for statement in roles.may(role, list(statements))}
    expected = {place for place in columns if is_for(*place)}
    assert allowed == expected
    assert len(expected) > 100 or role in ("service_embedded", "ingest")


@pytest.mark.parametrize("role", ROLES)
def test_everything_is_written_by_its_owner_alone(role: str, roles: Roles, columns: list[tuple[str, str, str]]) -> None:
    tables = {(schema, table) for schema, table, _ in columns}
    for verb in (
        "delete from {} where false",
        "truncate {}",
        "drop table {} cascade",
        "alter table {} add column evil int",
    ):
        views = {(schema, table) for schema, table in tables if schema in ("staging", "intermediate", "marts_masked")}
        statements = {verb.format(f'{schema}."{table}"'): schema for schema, table in tables - views}
        assert {statements[statement] for statement in roles.may(role, list(statements))} == WRITES.get(role, set()) - {
            "staging",
            "intermediate",
            "marts_masked",
        }, verb
    statements = {f"create table {schema}.evil (x int)": schema for schema in SCHEMAS}
    assert {statements[statement] for statement in roles.may(role, list(statements))} == WRITES.get(role, set())
    assert roles.may(role, ["create table public.evil (x int)", "create role evil"]) == set()
    assert roles.may(role, ["copy (select 1) to program 'true'", "copy (select 1) to '/tmp/evil'"]) == set()
    assert roles.may(role, [f"set role {other}" for other in (*ROLES, "elt", "postgres") if other != role]) == set()
    assert bool(roles.may(role, ["create schema evil"])) == (role in WRITES)
    assert bool(roles.may(role, ["create temporary table evil (x int)"])) == (role in WRITES)


def test_no_role_is_more_than_a_login(roles: Roles) -> None:
    powers = "rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication"
    names = ", ".join(f"'{role}'" for role in ROLES)
    found = roles.star.query(
        f"select rolname, {powers}, (select count(*) from pg_auth_members where member = r.oid), rolpassword is null"
        f" from pg_roles r where rolname in ({names})"
    )
    assert sorted((name, power, groups) for name, power, groups, _ in found) == sorted(
        (role, False, 0) for role in ROLES
    )


def test_the_demo_and_make_run_log_in_as_the_two_roles(roles: Roles) -> None:
    owners = roles.star.query(
        "select nspname, pg_get_userbyid(relowner) from pg_class join pg_namespace n on n.oid = relnamespace"
        f" where nspname in ('{RAW}', 'staging', 'intermediate', 'snapshots', 'seeds', 'marts', 'marts_masked', 'quality', 'predictions')"
    )
    assert set(owners) == {(RAW, "ingest")} | {(schema, "transform") for schema in WRITES["transform"]}


def test_the_analyst_sees_every_mart_under_its_name_and_types(roles: Roles) -> None:
    def shape(schema: str) -> list[tuple[Any, ...]]:
        return roles.star.query(
            "select table_name, ordinal_position, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale"
            f" from information_schema.columns where table_schema = '{schema}' order by 1, 2"
        )

    assert shape("marts_masked") == shape("marts")
    assert roles.query("analyst", "select count(*) from dim_customers") == roles.query(
        "pii_reader", "select count(*) from dim_customers"
    )


def test_every_personal_value_is_masked(roles: Roles, personal: dict[tuple[str, str], str]) -> None:
    patterns = {"initial": r"\S?\*{4}", "last_digits": r"\*{4}(\d\d)?", "hash": r"[0-9a-f]{32}|-1"}
    assert set(personal.values()) == set(patterns)
    for (table, column), mask in personal.items():
        sql = f"select {column} from {table} where {column} is not null"
        seen = [value for (value,) in roles.query("analyst", sql)]
        clear = [value for (value,) in roles.query("pii_reader", sql)]
        assert len(seen) == len(clear) > 0, (table, column)
        assert all(re.fullmatch(patterns[mask], value) for value in seen), (table, column)
        assert not {value for value in clear if value != "-1"} & set(seen), (table, column)


def test_what_the_analyst_sees(roles: Roles) -> None:
    row = (
        "select contact_first_name, customer_name, phone, city, country from dim_customers where customer_number = 103"
    )
    assert roles.query("pii_reader", row)[0][0].strip() == "Carine"
    ((first_name, name, phone, city, country),) = roles.query("analyst", row)
    assert (first_name, name, phone, city, country) == ("C****", "A****", "****55", "Nantes", "France")
    checks = roles.query("analyst", "select check_number from fct_payments order by payment_date_key limit 1")
    assert re.fullmatch(r"\*{4}\d\d", checks[0][0])
    assert roles.query("analyst", "select distinct full_name from dim_employees where first_name = 'J****'")


def test_joins_and_totals_are_the_same_for_the_analyst(roles: Roles) -> None:
    sql = (
        "select l.country, l.city, count(*), sum(gross_sales_amount) from fct_order_lines f"
        " join dim_locations l on l.location_key = f.customer_location_key"
        " join dim_customers c on c.customer_key = f.customer_key and c.location_key = l.location_key group by 1, 2 order by 1, 2"
    )
    masked = roles.query("analyst", sql)
    assert masked == roles.query("pii_reader", sql)
    assert sum(row[2] for row in masked) == 2996


def test_a_masked_key_is_found_again_by_nobody_without_the_key(roles: Roles) -> None:
    """The clear key is an MD5 of place and postal code, which can be tried; the masked one is of a secret as well."""
    clear = {
        key for (key,) in roles.query("pii_reader", "select location_key from dim_locations where location_key <> '-1'")
    }
    once, twice = "encode(sha256(convert_to(x, 'UTF8')), 'hex')", "encode(sha256(convert_to(once, 'UTF8')), 'hex')"
    guess = f"select md5(x), once, {twice} from (select x, {once} as once from unnest(%s) as x) as first"
    seen = {key for (key,) in roles.query("analyst", "select location_key from dim_locations")}
    connection = roles.connect("analyst")
    with connection.cursor() as cursor:
        cursor.execute(guess, (sorted(clear),))
        guesses = {part[:32] for row in cursor.fetchall() for part in row}
    connection.close()
    assert len(seen) > 100 and not seen & (clear | guesses)


def test_a_customers_session_sees_its_own_rows_only(roles: Roles) -> None:
    for table, key in EMBEDDED.items():
        if not key:
            continue
        owner = (
            "customer_number"
            if key == "customer_number"
            else "(select customer_number from marts.dim_customers c where c.customer_key = t.customer_key)"
        )
        everyone = dict(roles.star.query(f"select {owner}, count(*) from marts.{table} t group by 1"))
        assert any(number in everyone for number in (103, 119, 141)), table
        for number in (103, 119, 141):
            assert roles.customer(number, f"select count(*), count(distinct {key}) from {table}") == [
                (
                    everyone.get(number, 0),
                    roles.star.query(f"select count(distinct {key}) from marts.{table} t where {owner} = {number}")[0][
                        0
                    ],
                )
            ], table
        assert roles.query("service_embedded", f"select count(*) from {table}") == [(0,)], table
        assert roles.customer("", f"select count(*) from {table}") == [(0,)], table
        assert roles.customer(-1, f"select count(*) from {table}") == [(0,)], table
        assert roles.query("pii_reader", f"select count(*) from {table}") == [(sum(everyone.values()),)], table


def test_aggregates_joins_and_views_do_not_reach_further(roles: Roles) -> None:
    true = roles.star.query("select sum(gross_sales_amount) from marts.orders_obt where customer_number = 103")
    everything = roles.star.query("select sum(gross_sales_amount) from marts.orders_obt")
    assert true != everything
    assert roles.customer(103, "select sum(gross_sales_amount) from orders_obt") == true
    assert roles.customer(103, "select sum(gross_sales_amount) from fct_orders") == true
    assert (
        roles.customer(
            103,
            "select sum(f.gross_sales_amount) from fct_order_lines f join fct_orders o using (order_number)"
            " join dim_customers c on c.customer_key = o.customer_key",
        )
        == true
    )
    assert roles.customer(
        103, "select count(*) from orders_obt where customer_number <> 103 or true"
    ) == roles.customer(103, "select count(*) from orders_obt")
    roles.query(
        "transform",
        "create view marts.sales_of_mine with (security_invoker) as select sum(gross_sales_amount) as sales from marts.orders_obt",
    )
    try:
        roles.query("transform", "grant select on marts.sales_of_mine to service_embedded")
        assert roles.customer(103, "select sales from sales_of_mine") == true
    finally:
        roles.query("transform", "drop view marts.sales_of_mine")
    for sql in (
        "select * from marts_masked.fct_orders",
        f"select * from {RAW}.orders",
        "select full_name from marts.dim_employees",
    ):
        with pytest.raises(psycopg2.Error) as error:
            roles.customer(103, sql)
        assert error.value.pgcode == REFUSED


def test_an_embedded_role_reads_no_view_that_runs_as_its_owner(roles: Roles) -> None:
    assert (
        roles.star.query(
            "select relname from pg_class where relkind in ('v', 'm') and has_any_column_privilege('service_embedded', oid, 'select')"
            " and relnamespace::regnamespace::text !~ '^(pg_|information_schema)' and not coalesce('security_invoker=true' = any (reloptions), false)"
        )
        == []
    )


def test_all_is_there_again_after_every_build(roles: Roles) -> None:
    def protection() -> list[tuple[Any, ...]]:
        return roles.star.query(
            "select nspname, relname, relacl::text, relrowsecurity, (select array_agg(polname || pg_get_expr(polqual, polrelid) order by 1)::text from pg_policy where polrelid = c.oid),"
            " (select array_agg(attname || attacl::text order by 1)::text from pg_attribute where attrelid = c.oid and attacl is not null)"
            " from pg_class c join pg_namespace n on n.oid = relnamespace where nspname ~ '^marts' and relkind in ('r', 'v') order by 1, 2"
        )

    def oid() -> list[tuple[Any, ...]]:
        return roles.star.query("select 'marts.fct_orders'::regclass::oid, 'marts.dim_customers'::regclass::oid")

    before, old = protection(), oid()
    assert sum(bool(row[3]) for row in before) == sum(bool(key) for key in EMBEDDED.values())
    build = ("run", "--select", "fct_orders", "dim_customers", "orders_obt")
    assert roles.star.dbt(*build, "--full-refresh").returncode == 0
    assert protection() == before
    rebuilt = oid()
    assert rebuilt[0][0] != old[0][0] and rebuilt[0][1] != old[0][1]
    roles.query(
        "transform",
        "drop policy own_customer on marts.fct_orders",
        "alter table marts.orders_obt disable row level security",
    )
    roles.query("transform", "drop view marts_masked.dim_customers")
    assert protection() != before
    assert roles.star.dbt(*build).returncode == 0
    assert protection() == before
    assert oid()[0][0] == rebuilt[0][0]
    assert roles.query("analyst", "select contact_first_name from dim_customers where customer_number = 103") == [
        ("C****",)
    ]
    assert roles.customer(103, "select count(*) from fct_orders") == [(3,)]
