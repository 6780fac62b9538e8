-- An order with several product lines is one order of each. Each step reads the table by itself: Postgres would copy a CTE
-- that is read twice.
with by_orders as (
    select
        product_line,
        {{ sales_metrics() }},
        {{ order_metrics() }}
    from {{ ref('fct_order_product_lines') }}
    group by product_line
),

customers_who_ordered as (
    select distinct
        product_line,
        customer_number
    from {{ ref('fct_order_product_lines') }}
),

by_customers as (
    select
        product_line,
        {{ customer_metrics() }}
    from customers_who_ordered
    group by product_line
)

select
    cast(by_orders.product_line as varchar(255)) as product_line,
    cast(by_orders.gross_sales_amount as numeric(18, 2)) as gross_sales_amount,
    cast(by_orders.net_sales_amount as numeric(18, 2)) as net_sales_amount,
    cast(by_orders.quantity_ordered as bigint) as quantity_ordered,
    cast(by_orders.average_unit_price as numeric(18, 4)) as average_unit_price,
    cast(by_orders.margin_amount as numeric(18, 2)) as margin_amount,
    cast(by_orders.order_count as bigint) as order_count,
    cast(by_customers.customer_count as bigint) as customer_count,
    cast(by_orders.average_days_to_ship as numeric(10, 4)) as average_days_to_ship,
    cast(by_orders.late_share as numeric(10, 4)) as late_share
from by_orders
left join by_customers on by_orders.product_line = by_customers.product_line
