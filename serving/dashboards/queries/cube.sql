-- One row per month, product line and country, and per roll-up: an order of two product lines counts once in each, and once in all.
with lines as (
    select
        fct_order_product_lines.order_number,
        fct_order_product_lines.order_month,
        fct_order_product_lines.product_line,
        coalesce(fct_order_product_lines.customer_country, 'Unknown') as country,
        fct_order_product_lines.net_sales_amount,
        fct_order_product_lines.margin_amount,
        case when fct_order_product_lines.days_to_ship is null then 0 else 1 end as shipped,
        case when fct_order_product_lines.is_late then 1 else 0 end as late
    from fct_order_product_lines
    inner join fct_orders on fct_order_product_lines.order_number = fct_orders.order_number
    where
        not fct_orders.is_cancelled
        and fct_order_product_lines.order_month between '{{ first_month }}' and '{{ last_month }}'
),

whole_orders as (
    select
        order_number,
        order_month,
        country,
        sum(net_sales_amount) as net_sales_amount,
        sum(margin_amount) as margin_amount,
        max(shipped) as shipped,
        max(late) as late
    from lines
    group by order_number, order_month, country
)

select
    order_month,
    product_line,
    country,
    sum(net_sales_amount) as net_sales_amount,
    count(*) as order_count,
    sum(margin_amount) as margin_amount,
    sum(shipped) as shipped_count,
    sum(late) as late_count
from lines
group by grouping sets ((order_month, product_line, country), (order_month, product_line))
union all
select
    order_month,
    cast(null as varchar(255)) as product_line,
    country,
    sum(net_sales_amount) as net_sales_amount,
    count(*) as order_count,
    sum(margin_amount) as margin_amount,
    sum(shipped) as shipped_count,
    sum(late) as late_count
from whole_orders
group by grouping sets ((order_month, country), (order_month))
