{{ config(meta={'dimension': 'accuracy'}) }}
-- An order that lost its last line, or a line that moved to another product line, must not stay in what adds the lines up.
-- Against the orders: their own sums are held against the lines and against raw.
with by_product_line as (
    select
        coalesce(sum(gross_sales_amount), 0) as gross_sales_amount,
        coalesce(sum(net_sales_amount), 0) as net_sales_amount,
        coalesce(sum(quantity_ordered), 0) as quantity_ordered
    from {{ ref('fct_order_product_lines') }}
),

everything as (
    select
        coalesce(sum(gross_sales_amount), 0) as gross_sales_amount,
        coalesce(sum(net_sales_amount), 0) as net_sales_amount,
        coalesce(sum(quantity_ordered), 0) as quantity_ordered
    from {{ ref('fct_orders') }}
)

select
    by_product_line.gross_sales_amount,
    everything.gross_sales_amount as expected_gross_sales_amount
from by_product_line
cross join everything
where
    by_product_line.gross_sales_amount <> everything.gross_sales_amount
    or by_product_line.net_sales_amount <> everything.net_sales_amount
    or by_product_line.quantity_ordered <> everything.quantity_ordered
