"""Mutants that no test can kill, because the tables they build are the same: by key, with the reason.

An entry that fits no mutant, or whose mutant is killed, fails ``pytest tests/mutations``.
"""

_APART = "The rows of the branches are told apart by their keys: there is nothing to make distinct."
_MEMBERS = (
    "Members of the dimension, inferred members and Unknown have different keys: there is nothing to make distinct."
)
_ONLY_RANGE = "Only the smallest and the greatest of these days are used."
_DISTINCT_LATER = "The last union of this CTE makes the order numbers distinct."
_OTHERS = "What did not change is joined to nothing: more work, the same rows."
_ALWAYS_MATCHES = "There is always a row to join."
_JOINED_TO_NOTHING = "The rows this adds have an empty key: later steps join them to nothing."
_WITHOUT_ORDERS = "Who never ordered is left out at the end as well: more work, the same table."
_NOTHING = "The row this adds is of no order and no amount: it differs from nothing by nothing, and is left out."
_IN_ORDER = (
    "A key's versions follow one another without overlap: they end in the order in which they begin, the open one last."
)
_EMPTY_TOGETHER = "Both are empty where there is no order."

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
    "int_orders__bound: union (#3): union -> union all": _DISTINCT_LATER,
    "int_orders__bound: union (#4): union -> union all": _DISTINCT_LATER,
    "int_orders__bound: union (#6): union -> union all": _DISTINCT_LATER,
    # a row more that nothing is joined to, or none
    "int_orders__bound: inner join customers on employees.employee_number = customers.sales_rep_employee_number: inner -> left": (
        _JOINED_TO_NOTHING
    ),
    "int_orders__bound: where order_number in (select changed_orders.order_number from changed_orders):"
    " order_number in (select changed_orders.order_number from changed_orders) -> true": _OTHERS,
    "int_orders__bound: where order_lines.order_number in (select changed_orders.order_number from changed_orders):"
    " order_lines.order_number in (select changed_orders.order_number from changed_orders) -> true": _OTHERS,
    "source_exceptions: '': '' -> 'not '": "it only ends the list: no rule has either name",
    "int_customers__totals: and customer_number is not null: customer_number is not null -> true": (_JOINED_TO_NOTHING),
    "dim_dates: inner join numbers on span.first_day + numbers.number < span.day_after: inner -> left": _ALWAYS_MATCHES,
    "fct_customer_balances: inner join members on activity.customer_number = members.customer_number: inner -> left": (
        _JOINED_TO_NOTHING
    ),
    "fct_customer_balances: inner join members on running_totals.customer_number = members.customer_number: inner -> left": (
        _ALWAYS_MATCHES
    ),
    "fct_customer_balances: inner join months: inner -> left": _ALWAYS_MATCHES,
    "ml_customer_features: inner join orders on members.customer_number = orders.customer_number: inner -> left": (
        _JOINED_TO_NOTHING
    ),
    "ml_customer_features: inner join payments on members.customer_number = payments.customer_number: inner -> left": (
        _JOINED_TO_NOTHING
    ),
    "ml_customer_features: inner join activity on members.customer_number = activity.customer_number: inner -> left": (
        _ALWAYS_MATCHES
    ),
    "ml_customer_features: inner join months: inner -> left": _ALWAYS_MATCHES,
    "ml_customer_features: inner join members on monthly_totals.customer_number = members.customer_number: inner -> left": (
        _ALWAYS_MATCHES
    ),
    # the same by another way
    "ml_customer_features: where order_count > 0: order_count > 0 -> true": _WITHOUT_ORDERS,
    "ml_customer_features: where order_count > 0: > -> >=": _WITHOUT_ORDERS,
    "ml_customer_features: dates.date_day >= span.first_month_end_date: dates.date_day >= span.first_month_end_date -> true": (
        "Nobody has a running total before the first month: more work, the same table."
    ),
    "ml_customer_features: inner join orders on members.customer_number = orders.customer_number: members.customer_number = orders.customer_number -> true": (
        "Each order is there once per member: the latest one before a payment is the same."
    ),
    "ml_customer_features: inner join payments on members.customer_number = payments.customer_number: members.customer_number = payments.customer_number -> true": (
        "Each payment is there once per member, in the days as in the count: the average is the same."
    ),
    "ml_customer_features: / nullif(monthly_totals.payments_after_an_order, 0) as numeric(9, 2): nullif( -> (": (
        "Where no payment came after an order, there are no days to divide."
    ),
    "metrics: cast(sum(days_to_ship) as numeric(18, 4)) / nullif(sum(orders_with_days), 0) as average_days_to_ship,: nullif( -> (": (
        "Where nothing has shipped, there are no days to divide."
    ),
    "ml_customer_features: where monthly_totals.first_order_date is not null: first_order_date -> last_order_date": _EMPTY_TOGETHER,
    # months without orders, versions in another order
    "fct_sales_adjustments: inner join versions: inner -> left": _NOTHING,
    "fct_sales_adjustments: inner join orders on closed_months.year_month = to_char(orders.order_date, 'YYYY-MM'): inner -> left": (
        _NOTHING
    ),
    "fct_sales_adjustments: inner join closed_months on differences.month_end_date_key = closed_months.month_end_date_key: inner -> left": (
        _ALWAYS_MATCHES
    ),
    "int_months__closed: greatest(min(landing_days.loaded_at), min(first_version.valid_from)) as closed_at (#2): min -> max": (
        "There is one first version."
    ),
    "int_months__closed: group by dates.date_key, dates.year_month: , dates.year_month -> ": "A day is in one month.",
    "versions: row_number() over (partition by {{ natural_key }} order by dbt_valid_from) as version_number,: dbt_valid_from -> dbt_valid_to": (
        _IN_ORDER
    ),
    "versions: when row_number() over (partition by {{ natural_key }} order by dbt_valid_from) = 1: dbt_valid_from -> dbt_valid_to": (
        _IN_ORDER
    ),
    "versions: when row_number() over (partition by {{ natural_key }} order by dbt_valid_from) = 1 (#2): dbt_valid_from -> dbt_valid_to": (
        _IN_ORDER
    ),
    "versions: cast(lead(dbt_valid_from) over (partition by {{ natural_key }} order by dbt_valid_from) as date), (#2): dbt_valid_from -> dbt_valid_to": (
        _IN_ORDER
    ),
}
