-- One row per product line: prices paid for a piece, quantities of an order line, discount against the list price. Kept orders.
select
    product_line,
    min(unit_price) as lowest_price,
    percentile_cont(0.25) within group (order by unit_price) as lower_quartile,
    percentile_cont(0.5) within group (order by unit_price) as median_price,
    percentile_cont(0.75) within group (order by unit_price) as upper_quartile,
    max(unit_price) as highest_price,
    round(sum(net_sales_amount) / sum(quantity_ordered), 2) as average_price,
    round(cast(sum(quantity_ordered) as numeric(18, 4)) / count(*), 1) as average_quantity,
    max(quantity_ordered) as largest_quantity,
    sum(list_amount) as list_amount,
    sum(list_amount) - sum(net_sales_amount) as discount_amount
from orders_obt
where not is_cancelled and product_line <> 'Unknown'
group by product_line
order by product_line
