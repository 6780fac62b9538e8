-- One row per month, country of the customer and office: net sales of kept orders.
select
    orders_obt.order_month,
    coalesce(orders_obt.customer_country, 'Unknown') as country,
    coalesce(orders_obt.office_code, '-') as office_code,
    coalesce(orders_obt.office_city, 'no office') as office_city,
    sum(orders_obt.net_sales_amount) as net_sales_amount
from orders_obt
where not orders_obt.is_cancelled and orders_obt.order_month between '{{ first_month }}' and '{{ last_month }}'
group by
    orders_obt.order_month,
    coalesce(orders_obt.customer_country, 'Unknown'),
    coalesce(orders_obt.office_code, '-'),
    coalesce(orders_obt.office_city, 'no office')
order by orders_obt.order_month, country, office_code
