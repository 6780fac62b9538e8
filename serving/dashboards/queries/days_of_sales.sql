-- One row: what is owed at the data's last day, and in how many days as the last 90 it was sold.
with latest as (
    select max(month_end_date_key) as month_end_date_key from fct_customer_balances
),

owed as (
    select sum(fct_customer_balances.outstanding_amount) as outstanding_amount
    from fct_customer_balances
    inner join latest on fct_customer_balances.month_end_date_key = latest.month_end_date_key
),

sold as (
    select sum(fct_orders.net_sales_amount) as net_sales_amount
    from fct_orders
    inner join dim_dates on fct_orders.order_date_key = dim_dates.date_key
    where
        dim_dates.date_day <= cast('{{ data_day }}' as date)
        and dim_dates.date_day > cast('{{ data_day }}' as date) - 90
)

select
    owed.outstanding_amount,
    sold.net_sales_amount,
    round(owed.outstanding_amount * 90 / nullif(sold.net_sales_amount, 0), 1) as days_sales_outstanding
from owed
cross join sold
