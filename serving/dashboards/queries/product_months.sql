-- One row per product and month with sales, kept orders.
select
    product_code,
    order_month,
    sum(net_sales_amount) as net_sales_amount
from orders_obt
where not is_cancelled and order_month between '{{ first_month }}' and '{{ last_month }}'
group by product_code, order_month
order by product_code, order_month
