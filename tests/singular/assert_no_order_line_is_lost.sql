-- Lines, pieces and money in the fact equal those in raw, per product line and month: nothing lost, nothing doubled.
with raw_lines as (
    select * from {{ source('classicmodels', 'orderdetails') }}
),

raw_orders as (
    select * from {{ source('classicmodels', 'orders') }}
),

raw_products as (
    select * from {{ source('classicmodels', 'products') }}
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

expected as (
    select
        raw_lines.product_code,
        date_trunc('month', raw_orders.order_date) as order_month,
        count(*) as line_count,
        sum(raw_lines.quantity_ordered) as quantity_ordered,
        sum(raw_lines.quantity_ordered * raw_lines.price_each) as gross_sales_amount
    from raw_lines
    left join raw_orders on raw_lines.order_number = raw_orders.order_number
    group by raw_lines.product_code, date_trunc('month', raw_orders.order_date)
),

found as (
    select
        product_key,
        order_date_key / 100 as order_month,
        count(*) as line_count,
        sum(quantity_ordered) as quantity_ordered,
        sum(gross_sales_amount) as gross_sales_amount
    from order_lines
    group by product_key, order_date_key / 100
),

both_sides as (
    select
        expected.product_code,
        coalesce(cast(to_char(expected.order_month, 'YYYYMM') as integer), -1) as order_month,
        expected.line_count,
        expected.quantity_ordered,
        expected.gross_sales_amount
    from expected
    union all
    select
        products.product_code,
        case when found.order_month > 0 then found.order_month else -1 end as order_month,
        -found.line_count as line_count,
        -found.quantity_ordered as quantity_ordered,
        -found.gross_sales_amount as gross_sales_amount
    from found
    left join products on found.product_key = products.product_key
)

-- Product lines as raw has them today: the fact's own may be those of an older version.
select
    raw_products.product_line,
    both_sides.order_month,
    sum(both_sides.line_count) as missing_lines,
    sum(both_sides.quantity_ordered) as missing_quantity,
    sum(both_sides.gross_sales_amount) as missing_amount
from both_sides
left join raw_products on both_sides.product_code = raw_products.product_code
group by raw_products.product_line, both_sides.order_month
having
    sum(both_sides.line_count) <> 0
    or sum(both_sides.quantity_ordered) <> 0
    or sum(both_sides.gross_sales_amount) <> 0
