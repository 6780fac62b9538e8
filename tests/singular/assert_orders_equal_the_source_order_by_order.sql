{{ config(meta={'dimension': 'accuracy'}) }}
-- Every order of raw is in fct_orders once, with its own status, dates and customer, which its lines have too, and with their sums.
{%- set is_changed = is_changed('order_number') %}
{%- set of_the_order = ['customer_key', 'order_status', 'order_date_key', 'required_date_key', 'shipped_date_key'] %}
{%- set expected_keys = {} %}
{%- for column, without in [('order_date', -1), ('required_date', -1), ('shipped_date', 99991231)] %}
{%- do expected_keys.update({column:
    "case when raw_orders." ~ column ~ " is null then " ~ without
    ~ " when to_char(raw_orders." ~ column ~ ", 'YYYY') between '1901' and '2199'"
    ~ " then cast(to_char(raw_orders." ~ column ~ ", 'YYYYMMDD') as integer) else -2 end"
}) %}
{%- endfor %}
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
        {%- for column in of_the_order %}
        min({{ column }}) as first_{{ column }},
        max({{ column }}) as last_{{ column }},
        {%- endfor %}
        sum(net_sales_amount) as net_sales_amount
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
    or {{ expected_keys['order_date'] }} <> orders.order_date_key
    or {{ expected_keys['required_date'] }} <> orders.required_date_key
    or (
        raw_orders.order_number is not null
        and {{ expected_keys['shipped_date'] }} <> orders.shipped_date_key
    )
    or orders.line_count <> coalesce(order_lines.line_count, 0)
    or orders.quantity_ordered <> coalesce(order_lines.quantity_ordered, 0)
    or orders.gross_sales_amount <> coalesce(order_lines.gross_sales_amount, 0)
    or orders.net_sales_amount <> coalesce(order_lines.net_sales_amount, 0)
    {%- for column in of_the_order %}
    or orders.{{ column }} <> order_lines.first_{{ column }}
    or orders.{{ column }} <> order_lines.last_{{ column }}
    {%- endfor %}
