-- One row per order that is not paid: payments settle a customer's oldest order first, so what is owed is of the newest ones.
with latest as (
    select max(month_end_date_key) as month_end_date_key from fct_customer_balances
),

owed as (
    select
        fct_customer_balances.customer_number,
        fct_customer_balances.outstanding_amount
    from fct_customer_balances
    inner join latest on fct_customer_balances.month_end_date_key = latest.month_end_date_key
    where fct_customer_balances.outstanding_amount > 0
),

orders as (
    select
        fct_orders.order_number,
        fct_orders.order_status,
        dim_customers.customer_number,
        dim_dates.date_day as order_date,
        fct_orders.net_sales_amount,
        sum(fct_orders.net_sales_amount) over (
            partition by dim_customers.customer_number
            order by dim_dates.date_day desc, fct_orders.order_number desc
            rows between unbounded preceding and current row
        ) as since_amount
    from fct_orders
    inner join dim_dates on fct_orders.order_date_key = dim_dates.date_key
    inner join dim_customers on fct_orders.customer_key = dim_customers.customer_key
    where not fct_orders.is_cancelled and dim_customers.customer_number in (select owed.customer_number from owed)
),

unpaid as (
    select
        orders.order_number,
        orders.order_status,
        orders.order_date,
        case
            when cast('{{ data_day }}' as date) - orders.order_date <= 30 then 'up to 30'
            when cast('{{ data_day }}' as date) - orders.order_date <= 60 then '31 to 60'
            when cast('{{ data_day }}' as date) - orders.order_date <= 90 then '61 to 90'
            else 'more than 90'
        end as age,
        least(orders.net_sales_amount, owed.outstanding_amount - orders.since_amount + orders.net_sales_amount) as owed_amount
    from orders
    inner join owed on orders.customer_number = owed.customer_number
    where owed.outstanding_amount - orders.since_amount + orders.net_sales_amount > 0
)

select
    age,
    sum(owed_amount) as owed_amount,
    count(*) as order_count,
    max(order_number) as order_number,
    max(order_status) as order_status,
    max(order_date) as order_date
from unpaid
group by age
order by max(order_date) desc
