-- One row per customer who ordered or paid: what is owed at the last month end there is, the limit, orders, and orders on hold.
with latest as (
    select max(month_end_date_key) as month_end_date_key from fct_customer_balances
),

balances as (
    select fct_customer_balances.*
    from fct_customer_balances
    inner join latest on fct_customer_balances.month_end_date_key = latest.month_end_date_key
),

orders as (
    select
        dim_customers.customer_number,
        sum(case when fct_orders.is_cancelled then 0 else 1 end) as order_count,
        sum(case when fct_orders.order_status = 'On Hold' then 1 else 0 end) as on_hold_count
    from fct_orders
    left join dim_customers on fct_orders.customer_key = dim_customers.customer_key
    group by dim_customers.customer_number
)

select
    balances.customer_number,
    dim_customers.customer_name,
    dim_customers.country,
    balances.outstanding_amount,
    balances.credit_limit,
    balances.is_over_limit,
    coalesce(orders.order_count, 0) as order_count,
    coalesce(orders.on_hold_count, 0) as on_hold_count
from balances
left join dim_customers on balances.customer_key = dim_customers.customer_key
left join orders on balances.customer_number = orders.customer_number
order by balances.outstanding_amount desc, balances.customer_number asc
