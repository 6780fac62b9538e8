with order_lines as (
    select * from {{ ref('orders_obt') }}
),

by_lines as (
    select
        product_line,
        {{ line_metrics() }}
    from order_lines
    group by product_line
),

-- An order with several lines of a product line is one order of it.
orders_with_product_line as (
    select
        product_line,
        order_number,
        min(customer_number) as customer_number,
        cast(min(shipped_date - order_date) as integer) as days_to_ship,
        coalesce(min(shipped_date) > min(required_date), false) as is_late
    from order_lines
    group by product_line, order_number
),

by_orders as (
    select
        product_line,
        {{ order_metrics() }}
    from orders_with_product_line
    group by product_line
)

select
    cast(by_lines.product_line as varchar(255)) as product_line,
    cast(by_lines.gross_sales_amount as numeric(18, 2)) as gross_sales_amount,
    cast(by_lines.net_sales_amount as numeric(18, 2)) as net_sales_amount,
    cast(by_lines.quantity_ordered as bigint) as quantity_ordered,
    cast(by_lines.average_unit_price as numeric(18, 4)) as average_unit_price,
    cast(by_lines.margin_amount as numeric(18, 2)) as margin_amount,
    cast(by_orders.order_count as bigint) as order_count,
    cast(by_orders.customer_count as bigint) as customer_count,
    cast(by_orders.average_days_to_ship as numeric(10, 4)) as average_days_to_ship,
    cast(by_orders.late_share as numeric(10, 4)) as late_share
from by_lines
left join by_orders on by_lines.product_line = by_orders.product_line
