"""Mutants that no test can kill, because the tables they build are the same: by key, with the reason.

An entry that fits no mutant, or whose mutant is killed, fails ``pytest tests/mutations``.
"""

_APART = "The rows of the branches are told apart by their keys: there is nothing to make distinct."
_MEMBERS = (
    "Members of the dimension, inferred members and Unknown have different keys: there is nothing to make distinct."
)
_ONLY_RANGE = "Only the smallest and the greatest of these days are used."
_DISTINCT_LATER = "The last union of this CTE makes the order numbers distinct."
_ONE_ORDER = "The lines of an order have the order's customer and dates in common."
_REWRITTEN = "Deletes orders or payments that the same build writes again: more work, the same table."

EQUIVALENT: dict[str, str] = {
    # nothing to make distinct
    "bridge_employee_managers: union all: union all -> union": _APART,
    "dim_customers: union all: union all -> union": _MEMBERS,
    "dim_customers: union all (#2): union all -> union": _MEMBERS,
    "dim_dates: union all: union all -> union": _ONLY_RANGE,
    "dim_dates: union all (#2): union all -> union": _ONLY_RANGE,
    "dim_dates: union all (#3): union all -> union": _ONLY_RANGE,
    "dim_dates: union all (#4): union all -> union": _ONLY_RANGE,
    "dim_dates: union all (#5): union all -> union": "The ten digits are different.",
    "dim_dates: union all (#6): union all -> union": _MEMBERS,
    "dim_employees: union all: union all -> union": _MEMBERS,
    "dim_employees: union all (#2): union all -> union": _MEMBERS,
    "dim_locations: union all: union all -> union": _MEMBERS,
    "dim_offices: union all: union all -> union": _MEMBERS,
    "dim_offices: union all (#2): union all -> union": _MEMBERS,
    "dim_order_statuses: union all: union all -> union": _MEMBERS,
    "dim_order_statuses: union all (#2): union all -> union": _MEMBERS,
    "dim_products: union all: union all -> union": _MEMBERS,
    "dim_products: union all (#2): union all -> union": _MEMBERS,
    "fct_customer_balances: union all: union all -> union": (
        "A month of activity and the row of zeros that opens the span are equal only if both are zeros."
    ),
    "int_orders__bound: union all: union all -> union": "Only the first day per customer is used.",
    # made distinct elsewhere
    "int_orders__bound: union: union -> union all": _DISTINCT_LATER,
    "int_orders__bound: union (#2): union -> union all": _DISTINCT_LATER,
    "int_orders__bound: union (#4): union -> union all": _DISTINCT_LATER,
    "ml_customer_features: select distinct: distinct -> ": "Read by an anti-join and by a maximum, which duplicates do not change.",
    "fct_order_lines: union: union -> union all": "Read by `in` only.",
    "orders_obt: union: union -> union all": "Read by `in` only.",
    # the same by another way
    "metrics_by_product_line: min(customer_number) as customer_number,: min -> max": _ONE_ORDER,
    "metrics_by_product_line: cast(min(shipped_date - order_date) as integer) as days_to_ship,: min -> max": _ONE_ORDER,
    "metrics_by_product_line: coalesce(min(shipped_date) > min(required_date), false) as is_late: min -> max": _ONE_ORDER,
    "metrics_by_product_line: coalesce(min(shipped_date) > min(required_date), false) as is_late (#2): min -> max": _ONE_ORDER,
    "metrics_by_product_line: coalesce(min(shipped_date) > min(required_date), false) as is_late: coalesce( -> (": (
        "An order without a shipped date is in neither count of late_share, whether is_late is false or null."
    ),
    "incremental: where not is_in_source and _loaded_at > {{ watermark() }}: _loaded_at > {{ watermark() }} -> true": (
        "Deletes tombstones again that are long gone."
    ),
    "incremental: where not is_in_source and _loaded_at > {{ watermark() }}: not is_in_source -> true": _REWRITTEN,
    "incremental: where not is_in_source and _loaded_at > {{ watermark() }}: and -> or": _REWRITTEN,
}
