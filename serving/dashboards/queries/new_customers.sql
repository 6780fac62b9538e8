-- One row per month and country: customers by the month of their first order that was kept.
with first_orders as (
    select
        dim_customers.customer_number,
        min(dim_dates.year_month) as order_month,
        max(case when dim_customers.is_current then dim_customers.country end) as current_country,
        max(dim_customers.country) as any_country
    from fct_orders
    inner join dim_dates on fct_orders.order_date_key = dim_dates.date_key
    inner join dim_customers on fct_orders.customer_key = dim_customers.customer_key
    where not fct_orders.is_cancelled and dim_dates.date_day is not null and dim_customers.customer_number is not null
    group by dim_customers.customer_number
)

select
    order_month,
    coalesce(current_country, any_country) as country,
    count(*) as customer_count
from first_orders
where order_month between '{{ first_month }}' and '{{ last_month }}'
group by order_month, coalesce(current_country, any_country)
order by order_month, country
