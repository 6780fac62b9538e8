-- orders_obt has the lines of fct_order_lines and their amounts, order by order, and no line is without a customer's or product's name.
{%- set is_changed = is_changed('order_number', ['fct_order_lines', 'orders_obt']) %}
with both_sides as (
    select
        order_number,
        1 as line_count,
        net_sales_amount,
        coalesce(margin_amount, 0) as margin_amount
    from {{ ref('fct_order_lines') }}
    where {{ is_changed }}
    union all
    select
        order_number,
        -1 as line_count,
        -net_sales_amount as net_sales_amount,
        -coalesce(margin_amount, 0) as margin_amount
    from {{ ref('orders_obt') }}
    where {{ is_changed }}
)

select
    order_number,
    sum(line_count) as missing_lines,
    sum(net_sales_amount) as missing_amount
from both_sides
group by order_number
having sum(line_count) <> 0 or sum(net_sales_amount) <> 0 or sum(margin_amount) <> 0
