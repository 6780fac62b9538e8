-- One row per product: what it sold, when last, the pieces in stock, and the pieces of the last six months of sales.
with sales as (
    select
        product_code,
        sum(net_sales_amount) as net_sales_amount,
        sum(case when order_month between '{{ pace_month }}' and '{{ last_month }}' then quantity_ordered else 0 end) as recent_pieces
    from orders_obt
    where not is_cancelled
    group by product_code
),

latest as (
    select max(date_key) as date_key from fct_stock_levels
),

stock as (
    select
        fct_stock_levels.product_code,
        fct_stock_levels.quantity_in_stock
    from fct_stock_levels
    inner join latest on fct_stock_levels.date_key = latest.date_key
)

select
    dim_products.product_code,
    dim_products.product_name,
    dim_products.product_line,
    coalesce(sales.net_sales_amount, 0) as net_sales_amount,
    coalesce(sales.recent_pieces, 0) as recent_pieces,
    stock.quantity_in_stock
from dim_products
left join sales on dim_products.product_code = sales.product_code
left join stock on dim_products.product_code = stock.product_code
where dim_products.is_current and dim_products.product_code is not null
order by coalesce(sales.net_sales_amount, 0) desc, dim_products.product_code
