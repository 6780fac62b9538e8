-- Every order of raw is in fct_orders once, with its own status, dates and customer, and with the sums of its own lines.
{%- set is_changed = is_changed('order_number', ['int_orders__bound', 'fct_orders', 'fct_order_lines']) %}
with raw_orders as (
    select * from {{ source('classicmodels', 'orders') }}
    where {{ is_changed }}
),

order_lines as (
    select
        order_number,
        count(*) as line_count,
        sum(quantity_ordered) as quantity_ordered,
        sum(gross_sales_amount) as gross_sales_amount,
        sum(net_sales_amount) as net_sales_amount,
        min(customer_key) as first_customer_key,
        max(customer_key) as last_customer_key,
        min(order_status) as first_order_status,
        max(order_status) as last_order_status
    from {{ ref('fct_order_lines') }}
    where {{ is_changed }}
    group by order_number
),

customers as (
    select * from {{ ref('dim_customers') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
    where {{ is_changed }}
)

select
    coalesce(raw_orders.order_number, orders.order_number) as order_number,
    raw_orders.status,
    orders.order_status
from raw_orders
full outer join orders on raw_orders.order_number = orders.order_number
left join customers on orders.customer_key = customers.customer_key
left join order_lines on orders.order_number = order_lines.order_number
where
    orders.order_number is null
    or (raw_orders.order_number is null and orders.order_status <> 'Unknown')
    or trim(raw_orders.status) <> orders.order_status
    or raw_orders.customer_number <> coalesce(customers.customer_number, -1)
    or coalesce(cast(to_char(raw_orders.order_date, 'YYYYMMDD') as integer), -1) <> orders.order_date_key
    or coalesce(cast(to_char(raw_orders.required_date, 'YYYYMMDD') as integer), -1) <> orders.required_date_key
    or (
        raw_orders.order_number is not null
        and coalesce(cast(to_char(raw_orders.shipped_date, 'YYYYMMDD') as integer), 99991231) <> orders.shipped_date_key
    )
    or orders.line_count <> coalesce(order_lines.line_count, 0)
    or orders.quantity_ordered <> coalesce(order_lines.quantity_ordered, 0)
    or orders.gross_sales_amount <> coalesce(order_lines.gross_sales_amount, 0)
    or orders.net_sales_amount <> coalesce(order_lines.net_sales_amount, 0)
    or orders.customer_key <> order_lines.first_customer_key
    or orders.customer_key <> order_lines.last_customer_key
    or orders.order_status <> order_lines.first_order_status
    or orders.order_status <> order_lines.last_order_status
