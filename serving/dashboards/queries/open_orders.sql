-- One row per open order: shipped or not, days past the day it is required.
select
    fct_orders.order_number,
    dim_customers.customer_number,
    dim_customers.customer_name,
    dim_customers.country,
    fct_orders.order_status,
    shipped.date_day is not null as is_shipped,
    cast('{{ data_day }}' as date) - required.date_day as days_overdue,
    fct_orders.net_sales_amount
from fct_orders
left join dim_customers on fct_orders.customer_key = dim_customers.customer_key
left join dim_dates as required on fct_orders.required_date_key = required.date_key
left join dim_dates as shipped on fct_orders.shipped_date_key = shipped.date_key
where fct_orders.is_open and not fct_orders.is_cancelled
order by case when shipped.date_day is null then 0 else 1 end, required.date_day, fct_orders.order_number
