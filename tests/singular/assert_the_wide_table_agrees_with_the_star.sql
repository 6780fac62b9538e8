{{ config(meta={'dimension': 'accuracy'}) }}
-- orders_obt has the lines of fct_order_lines with their status, dates and amounts, order by order.
{%- set is_changed = is_changed('order_number') %}
with order_lines as (
    select * from {{ ref('fct_order_lines') }}
    where {{ is_changed }}
),

dates as (
    select * from {{ ref('dim_dates') }}
),

both_sides as (
    select
        order_lines.order_number,
        order_lines.order_status,
        order_dates.date_day as order_date,
        required_dates.date_day as required_date,
        shipped_dates.date_day as shipped_date,
        1 as line_count,
        order_lines.net_sales_amount,
        coalesce(order_lines.margin_amount, 0) as margin_amount
    from order_lines
    left join dates as order_dates on order_lines.order_date_key = order_dates.date_key
    left join dates as required_dates on order_lines.required_date_key = required_dates.date_key
    left join dates as shipped_dates on order_lines.shipped_date_key = shipped_dates.date_key
    union all
    select
        order_number,
        order_status,
        order_date,
        required_date,
        shipped_date,
        -1 as line_count,
        -net_sales_amount as net_sales_amount,
        -coalesce(margin_amount, 0) as margin_amount
    from {{ ref('orders_obt') }}
    where {{ is_changed }}
)

select
    order_number,
    order_status,
    shipped_date,
    sum(line_count) as missing_lines,
    sum(net_sales_amount) as missing_amount
from both_sides
group by order_number, order_status, order_date, required_date, shipped_date
having sum(line_count) <> 0 or sum(net_sales_amount) <> 0 or sum(margin_amount) <> 0
