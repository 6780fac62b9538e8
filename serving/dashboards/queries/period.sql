-- One row: the last day of the data, and the first and last month in which something was sold.
select
    (
        select max(every_day.date_day) from dim_dates as every_day
        where
            every_day.date_key in (select orders.order_date_key from fct_orders as orders)
            or every_day.date_key in (select orders.shipped_date_key from fct_orders as orders)
            or every_day.date_key in (select payments.payment_date_key from fct_payments as payments)
    ) as data_day,
    min(dim_dates.year_month) as first_month,
    max(dim_dates.year_month) as last_month
from fct_orders
inner join dim_dates on fct_orders.order_date_key = dim_dates.date_key
where not fct_orders.is_cancelled and dim_dates.date_day is not null
