-- One row per pair of product lines: orders that have both.
select
    first_line.product_line as first_line,
    second_line.product_line as second_line,
    count(*) as order_count
from fct_order_product_lines as first_line
inner join fct_order_product_lines as second_line on first_line.order_number = second_line.order_number
inner join fct_orders on first_line.order_number = fct_orders.order_number
where not fct_orders.is_cancelled
group by first_line.product_line, second_line.product_line
order by first_line.product_line, second_line.product_line
