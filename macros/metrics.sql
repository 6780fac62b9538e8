{#-
    The metrics, each defined here and nowhere else. The marts metrics_by_* are this over CTEs of these names, grouped by one attribute:

    sales     one row or several per order and attribute: amounts and quantities
    orders    one row per order and attribute: customer_number, is_cancelled, is_late, days_to_ship
    balances  where asked for: outstanding_amount

    Averages are sums over counts, as Redshift's avg() of whole numbers is one itself. Orders are counted by customer first, so that each
    customer counts once: for count(distinct ...) Postgres sorts all orders.
-#}
{% macro metrics_by(attribute, data_type, balances=false, name='final') -%}
by_sales as (
    select
        {{ attribute }},
        sum(gross_sales_amount) as gross_sales_amount,
        sum(net_sales_amount) as net_sales_amount,
        sum(quantity_ordered) as quantity_ordered,
        max(largest_quantity_ordered) as largest_quantity_ordered,
        sum(gross_sales_amount) / nullif(sum(quantity_ordered), 0) as average_unit_price,
        sum(margin_amount) as margin_amount,
        sum(net_cost_amount) as net_cost_amount,
        sum(net_margin_amount) as net_margin_amount
    from sales
    group by {{ attribute }}
),

by_customer as (
    select
        {{ attribute }},
        customer_number,
        count(*) as order_count,
        count(case when not is_cancelled then 1 end) as kept_order_count,
        sum(days_to_ship) as days_to_ship,
        count(days_to_ship) as orders_with_days,
        count(case when is_late then 1 end) as late_orders,
        count(case when is_late or days_to_ship is not null then 1 end) as shipped_orders
    from orders
    group by {{ attribute }}, customer_number
),

by_orders as (
    select
        {{ attribute }},
        sum(order_count) as order_count,
        sum(kept_order_count) as kept_order_count,
        count(customer_number) as customer_count,
        cast(sum(days_to_ship) as numeric(18, 4)) / nullif(sum(orders_with_days), 0) as average_days_to_ship,
        cast(sum(late_orders) as numeric(18, 4)) / nullif(sum(shipped_orders), 0) as late_share
    from by_customer
    group by {{ attribute }}
),

{% if balances -%}
by_balances as (
    select
        {{ attribute }},
        sum(outstanding_amount) as outstanding_amount
    from balances
    group by {{ attribute }}
),

members as (
    select {{ attribute }} from by_orders
    union
    select {{ attribute }} from by_balances
),

{% else -%}
members as (
    select {{ attribute }} from by_orders
),

{% endif -%}
{{ name }} as (
    select
        cast(members.{{ attribute }} as {{ data_type }}) as {{ attribute }},
        cast(coalesce(by_sales.gross_sales_amount, 0) as numeric(18, 2)) as gross_sales_amount,
        cast(coalesce(by_sales.net_sales_amount, 0) as numeric(18, 2)) as net_sales_amount,
        cast(coalesce(by_sales.quantity_ordered, 0) as bigint) as quantity_ordered,
        cast(by_sales.largest_quantity_ordered as integer) as largest_quantity_ordered,
        cast(by_sales.average_unit_price as numeric(18, 4)) as average_unit_price,
        cast(by_sales.margin_amount as numeric(18, 2)) as margin_amount,
        cast(by_sales.net_cost_amount as numeric(18, 2)) as net_cost_amount,
        cast(by_sales.net_margin_amount as numeric(18, 2)) as net_margin_amount,
        cast(coalesce(by_orders.order_count, 0) as bigint) as order_count,
        cast(coalesce(by_orders.kept_order_count, 0) as bigint) as kept_order_count,
        cast(coalesce(by_orders.customer_count, 0) as bigint) as customer_count,
        cast(by_orders.average_days_to_ship as numeric(10, 4)) as average_days_to_ship,
        cast(by_orders.late_share as numeric(10, 4)) as late_share
        {%- if balances %},
        cast(by_balances.outstanding_amount as numeric(18, 2)) as outstanding_amount
        {%- endif %}
    from members
    left join by_sales on members.{{ attribute }} = by_sales.{{ attribute }}
    left join by_orders on members.{{ attribute }} = by_orders.{{ attribute }}
    {%- if balances %}
    left join by_balances on members.{{ attribute }} = by_balances.{{ attribute }}
    {%- endif %}
)
{%- endmacro %}
