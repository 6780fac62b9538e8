"""Column lineage: small queries, the project's own marts against lists made by hand, and what cannot be resolved."""

import time
from typing import Any

import pytest

from catalog.lineage import Column, Lineage, LineageError, column_lineage, trace
from tests.catalog.conftest import Documented

FCT_ORDER_LINES = {
    "order_line_key": "stg_classicmodels__order_lines.order_number stg_classicmodels__order_lines.order_line_number",
    "order_number": "stg_classicmodels__order_lines.order_number",
    "order_line_number": "stg_classicmodels__order_lines.order_line_number",
    "customer_key": "int_orders__bound.customer_key",
    "product_key": "dim_products.product_key",
    "sales_rep_employee_key": "int_orders__bound.sales_rep_employee_key",
    "office_key": "int_orders__bound.office_key",
    "customer_location_key": "int_orders__bound.customer_location_key",
    "order_date_key": "int_orders__bound.order_date_key",
    "required_date_key": "int_orders__bound.required_date_key",
    "shipped_date_key": "int_orders__bound.shipped_date_key",
    "order_status": "int_orders__bound.order_status",
    "is_cancelled": "int_orders__bound.is_cancelled",
    "is_cost_known_at_order_date": "dim_products.known_since int_orders__bound.order_date",
    "quantity_ordered": "stg_classicmodels__order_lines.quantity_ordered",
    "unit_price": "stg_classicmodels__order_lines.unit_price",
    "gross_sales_amount": "stg_classicmodels__order_lines.quantity_ordered stg_classicmodels__order_lines.unit_price",
    "net_sales_amount": "int_orders__bound.is_cancelled stg_classicmodels__order_lines.quantity_ordered stg_classicmodels__order_lines.unit_price",
    "cost_amount": "stg_classicmodels__order_lines.quantity_ordered dim_products.buy_price",
    "margin_amount": "stg_classicmodels__order_lines.quantity_ordered stg_classicmodels__order_lines.unit_price dim_products.buy_price",
    "net_cost_amount": "int_orders__bound.is_cancelled stg_classicmodels__order_lines.quantity_ordered dim_products.buy_price",
    "net_margin_amount": "int_orders__bound.is_cancelled stg_classicmodels__order_lines.quantity_ordered"
    " stg_classicmodels__order_lines.unit_price dim_products.buy_price",
    "list_amount": "stg_classicmodels__order_lines.quantity_ordered dim_products.list_price",
    "is_return": "stg_classicmodels__order_lines.quantity_ordered",
    "discount_amount": "stg_classicmodels__order_lines.quantity_ordered stg_classicmodels__order_lines.unit_price dim_products.list_price",
    "_loaded_at": "int_orders__bound._loaded_at",
}
DIM_CUSTOMERS = {
    "customer_key": "int_customers__versioned.customer_number int_customers__versioned.valid_from stg_classicmodels__orders.customer_number"
    " stg_classicmodels__payments.customer_number",
    "customer_number": "int_customers__versioned.customer_number stg_classicmodels__orders.customer_number stg_classicmodels__payments.customer_number",
    "sales_rep_employee_number": "int_customers__versioned.sales_rep_employee_number",
    "location_key": "int_customers__versioned.country int_customers__versioned.state int_customers__versioned.city int_customers__versioned.postal_code",
    "customer_name": "int_customers__versioned.customer_name",
    "contact_first_name": "int_customers__versioned.contact_first_name stg_classicmodels__customer_contacts.contact_first_name stg_classicmodels__customer_contacts.customer_number",
    "contact_last_name": "int_customers__versioned.contact_last_name stg_classicmodels__customer_contacts.contact_last_name stg_classicmodels__customer_contacts.customer_number",
    "phone": "int_customers__versioned.phone stg_classicmodels__customer_contacts.phone stg_classicmodels__customer_contacts.customer_number",
    "address_line1": "int_customers__versioned.address_line1",
    "address_line2": "int_customers__versioned.address_line2",
    "city": "int_customers__versioned.city",
    "state": "int_customers__versioned.state",
    "postal_code": "int_customers__versioned.postal_code",
    "country": "int_customers__versioned.country",
    "credit_limit": "int_customers__versioned.credit_limit",
    "has_credit_limit": "int_customers__versioned.credit_limit",
    "is_inferred": "",
    "is_current": "int_customers__versioned.is_current",
    "version_number": "int_customers__versioned.version_number",
    "valid_from": "int_customers__versioned.valid_from",
    "valid_to": "int_customers__versioned.valid_to",
    "known_since": "int_customers__versioned.known_since",
    "binds_from": "int_customers__versioned.binds_from",
    "binds_to": "int_customers__versioned.binds_to",
}
METRICS_BY_COUNTRY = {
    "customer_country": "dim_customers.country",
    "gross_sales_amount": "fct_order_product_lines.gross_sales_amount",
    "net_sales_amount": "fct_order_product_lines.net_sales_amount",
    "quantity_ordered": "fct_order_product_lines.quantity_ordered",
    "largest_quantity_ordered": "fct_order_product_lines.largest_quantity_ordered",
    "average_unit_price": "fct_order_product_lines.gross_sales_amount fct_order_product_lines.quantity_ordered",
    "margin_amount": "fct_order_product_lines.margin_amount",
    "net_cost_amount": "fct_order_product_lines.net_cost_amount",
    "net_margin_amount": "fct_order_product_lines.net_margin_amount",
    "order_count": "",
    "kept_order_count": "fct_orders.is_cancelled",
    "customer_count": "dim_customers.customer_number",
    "average_days_to_ship": "fct_orders.days_to_ship",
    "late_share": "fct_orders.is_late fct_orders.days_to_ship",
    "outstanding_amount": "fct_customer_balances.outstanding_amount",
}
METRICS_BY_COUNTRY_AT_THE_SOURCE = {
    "customer_country": "customers.country",
    "gross_sales_amount": "orderdetails.quantity_ordered orderdetails.price_each",
    "net_sales_amount": "orderdetails.quantity_ordered orderdetails.price_each order_statuses.is_counted_as_sale",
    "quantity_ordered": "orderdetails.quantity_ordered",
    "largest_quantity_ordered": "orderdetails.quantity_ordered",
    "average_unit_price": "orderdetails.quantity_ordered orderdetails.price_each",
    "margin_amount": "orderdetails.quantity_ordered orderdetails.price_each products.buy_price",
    "net_cost_amount": "orderdetails.quantity_ordered products.buy_price order_statuses.is_counted_as_sale",
    "net_margin_amount": "orderdetails.quantity_ordered orderdetails.price_each products.buy_price order_statuses.is_counted_as_sale",
    "order_count": "",
    "kept_order_count": "order_statuses.is_counted_as_sale",
    "customer_count": "customers.customer_number orders.customer_number payments.customer_number",
    "average_days_to_ship": "orders.order_date orders.shipped_date",
    "late_share": "orders.order_date orders.required_date orders.shipped_date",
    # a running total: its window's customer and month come with it
    "outstanding_amount": "orderdetails.quantity_ordered orderdetails.price_each order_statuses.is_counted_as_sale payments.amount"
    " customers.customer_number orders.customer_number payments.customer_number orders.order_date payments.payment_date",
}


FEATURES = "model.classicmodels.ml_customer_features"


def short(columns: set[Column]) -> set[str]:
    return {f"{table.split('.')[-1]}.{column}" for table, column in columns}


@pytest.fixture(scope="module")
def lineage(documented: Documented) -> Lineage:
    return column_lineage(documented.manifest)


@pytest.mark.parametrize(
    ("mart", "expected"),
    [
        ("fct_order_lines", FCT_ORDER_LINES),
        ("dim_customers", DIM_CUSTOMERS),
        ("metrics_by_country", METRICS_BY_COUNTRY),
    ],
    ids=["fct_order_lines", "dim_customers", "metrics_by_country"],
)
def test_a_mart_equals_the_list_made_by_hand(mart: str, expected: dict[str, str], lineage: Lineage) -> None:
    model = f"model.classicmodels.{mart}"
    found = {column: short(parents) for (table, column), parents in lineage.items() if table == model}
    assert found == {column: set(parents.split()) for column, parents in expected.items()}


def test_a_metric_is_traced_to_the_source(lineage: Lineage) -> None:
    model = "model.classicmodels.metrics_by_country"
    found = {column: short(trace(lineage, (table, column))) for table, column in lineage if table == model}
    assert found == {column: set(ends.split()) for column, ends in METRICS_BY_COUNTRY_AT_THE_SOURCE.items()}


def test_every_column_is_there_and_leads_to_columns_that_are(documented: Documented, lineage: Lineage) -> None:
    manifest = documented.manifest
    described = {
        (node["unique_id"], column)
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "snapshot", "seed")
        for column in node["columns"]
    }
    described |= {
        (node["unique_id"], name)
        for node in manifest["sources"].values()
        for name, column in node["columns"].items()
        if column["config"].get("meta", {}).get("made_of")
    }
    assert lineage.keys() == described
    for column, parents in lineage.items():
        assert all(parent in lineage or parent[0] in manifest["sources"] for parent in parents), column
        of = manifest["nodes"].get(column[0], {"depends_on": {"nodes": [FEATURES]}})
        assert {parent for parent, _ in parents} <= set(of["depends_on"].get("nodes", [])), column


def test_columns_of_sources_exist(documented: Documented, lineage: Lineage) -> None:
    ends = {end for column in lineage for end in trace(lineage, column) if end[0].startswith("source.")}
    real = documented.query(
        "select table_name, column_name from information_schema.columns where table_schema in ('raw_classicmodels', 'predictions')"
    )
    assert {(table.split(".")[-1], column) for table, column in ends} <= set(real)
    assert len(ends) == 83


def test_a_score_is_traced_to_mysql(lineage: Lineage) -> None:
    found = short(trace(lineage, ("model.classicmodels.ml_customer_scores", "repurchase_probability")))
    assert {"orders.order_date", "orderdetails.price_each", "payments.amount", "payments.payment_date"} <= found
    assert not {name for name in found if name.startswith(("scores.", "customers.contact", "customers.phone"))}


def test_the_first_build_and_later_ones_have_one_lineage(documented: Documented, lineage: Lineage) -> None:
    """Incremental models compile to other SQL once their table is there; what a column is made of stays."""
    incremental = "as changed where changed._loaded_at >"
    assert incremental in documented.manifest["nodes"]["model.classicmodels.orders_obt"]["compiled_code"]
    first = Documented(documented.servers, documented.target / "first")
    assert first.dbt("compile", "--full-refresh").returncode == 0
    assert incremental not in first.manifest["nodes"]["model.classicmodels.orders_obt"]["compiled_code"]
    assert column_lineage(first.manifest) == lineage


def test_all_models_take_less_than_five_seconds_of_cpu(documented: Documented) -> None:
    manifest = documented.manifest
    started = time.process_time()
    column_lineage(manifest)
    assert time.process_time() - started < 5


def manifest_of(sql: str, columns: str = "", **others: Any) -> dict[str, Any]:
    """A project with seeds ``a`` (x, y) and ``b`` (x, z), a source ``s`` of which nothing is known, and a model ``m``."""

    def node(unique_id: str, names: str, **more: Any) -> dict[str, Any]:
        kind, _, name = unique_id.split(".")
        return {
            "unique_id": unique_id,
            "resource_type": kind,
            "name": name,
            "schema": "here",
            "columns": {column: {"name": column} for column in names.split()},
        } | more

    parents = ["seed.p.a", "seed.p.b", "source.p.s"]
    model = node("model.p.m", columns, compiled_code=sql, depends_on={"nodes": parents}) | others
    return {
        "metadata": {"adapter_type": "postgres"},
        "nodes": {"model.p.m": model, "seed.p.a": node("seed.p.a", "x y"), "seed.p.b": node("seed.p.b", "x z")},
        "sources": {"source.p.s": node("source.p.s", "")},
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select * from here.a", "x: a.x, y: a.y"),
        ('select * from "db"."here"."a"', "x: a.x, y: a.y"),
        ("select a.*, b.z from here.a left join here.b on a.x = b.x", "x: a.x, y: a.y, z: b.z"),
        ("with c as (select x as k, y from here.a) select k + y as total from c", "total: a.x a.y"),
        ("with c (k, l) as (select * from here.a) select l from c", "l: a.y"),
        ("with c as (select x from here.a), d as (select * from c) select * from d", "x: a.x"),
        ("with c as (with c as (select y as x from here.a) select x from c) select x from c", "x: a.y"),
        ("with a as (select z as x from here.b) select x from a", "x: b.z"),
        ("select x from here.a union all select z from here.b", "x: a.x b.z"),
        ("select x from here.a union select x from here.b union select 1", "x: a.x b.x"),
        ("select x from here.a except select x from here.b", "x: a.x"),
        ("select Y as Big from here.a", "big: a.y"),
        ("select sum(y) over (partition by x order by y) as running from here.a", "running: a.x a.y"),
        ("select case when y > 0 then 1 end as flag, count(*) as n, 1 as one from here.a", "flag: a.y, n: , one: "),
        ("select x from here.a where y in (select z from here.b)", "x: a.x"),
        ("select x, exists (select z from here.b) as e from here.a group by x", "x: a.x, e: "),
        ("select (select max(z) from here.b where b.x = a.x) as top from here.a", "top: b.z"),
        ("select x, (select max(b.z + y) from here.b) as top from here.a", "x: a.x, top: b.z a.y"),
        ("select t.k from (select x as k from here.a) as t", "k: a.x"),
        ("select q from here.s", "q: s.q"),
        ("with source as (select * from here.s) select q, trim(r) as r from source", "q: s.q, r: s.r"),
        ("with source as (select * from here.s) select a.y, q from source cross join here.a", "y: a.y, q: s.q"),
        ("select a.x from here.a where a.y > (select max(x) from here.m)", "x: a.x"),
        ("select greatest(a.x, m.x) as x from here.a left join here.m on a.y = m.y", "x: a.x"),
        ("select x from elsewhere.a", "x: a.x"),
    ],
)
def test_a_query(sql: str, expected: str) -> None:
    found = {
        column: short(parents)
        for (table, column), parents in column_lineage(manifest_of(sql)).items()
        if table == "model.p.m"
    }
    pairs = (entry.split(":") for entry in expected.split(", "))
    assert found == {column.strip(): set(parents.split()) for column, parents in pairs}


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select w from here.a", "column w"),
        ("select a.w from here.a", "a has no column w"),
        ("select x from here.a cross join here.b", "column x could be of 2 tables"),
        ("select q from here.s cross join (select * from here.s) as t", "column q could be of 2 tables"),
        ("select * from here.a cross join here.b", "column x is selected twice"),
        ("select x from here.other", "none of its parents"),
        ("select * from here.s", "columns nobody listed"),
        ("select x, y from here.a union select z from here.b", "number of columns"),
        ("select x + y from here.a", "without a name"),
        ("select x from generate_series(1, 2) as t (x)", "not understood"),
        ("select from where", ""),
        ("", "no compiled code"),
    ],
)
def test_what_cannot_be_resolved_is_an_error_with_the_models_name(sql: str, says: str) -> None:
    broken = manifest_of(sql)
    broken["nodes"]["model.p.good"] = manifest_of("select x from here.a")["nodes"]["model.p.m"] | {
        "unique_id": "model.p.good",
        "name": "good",
    }
    with pytest.raises(LineageError, match="^m: ") as error:
        column_lineage(broken)
    assert says in str(error.value)
    assert "good" not in str(error.value)


def test_a_described_column_that_the_sql_lacks_is_an_error() -> None:
    with pytest.raises(LineageError, match=r"^m: its SQL has no column w"):
        column_lineage(manifest_of("select x from here.a", columns="x w"))


def test_a_manifest_that_was_only_parsed_is_an_error() -> None:
    with pytest.raises(LineageError, match="no compiled code: run dbt compile"):
        column_lineage(manifest_of(""))


def test_a_build_of_some_models_is_one_line() -> None:
    partial = manifest_of("select x from here.a")
    for name in ("n", "o", "p"):
        (node,) = (node for uid, node in manifest_of("")["nodes"].items() if uid == "model.p.m")
        partial["nodes"][f"model.p.{name}"] = node | {"unique_id": f"model.p.{name}", "name": name}
    with pytest.raises(LineageError, match=r"^n: it has no compiled code, nor have 2 others: run dbt compile.*$"):
        column_lineage(partial)


def test_the_catalog_lists_what_a_source_has() -> None:
    catalog: dict[str, Any] = {"sources": {"source.p.s": {"columns": {"q": {}, "r": {}}}}}
    found = column_lineage(manifest_of("select * from here.s"), catalog)
    assert short(found["model.p.m", "q"]) == {"s.q"}
    with pytest.raises(LineageError, match="column t"):
        column_lineage(manifest_of("select t from here.s"), catalog)


def test_a_snapshot_has_dbts_columns() -> None:
    manifest = manifest_of("select * from here.a")
    config = {"unique_key": ["x", "y"], "updated_at": "y", "snapshot_meta_column_names": {"dbt_valid_to": "until"}}
    manifest["nodes"]["model.p.m"] |= {"resource_type": "snapshot", "config": config}
    found = {
        column: short(parents) for (table, column), parents in column_lineage(manifest).items() if table == "model.p.m"
    }
    assert found["dbt_valid_from"] == found["until"] == found["dbt_updated_at"] == {"a.y"}
    assert found["dbt_scd_id"] == {"a.x", "a.y"}
    assert "dbt_valid_to" not in found
