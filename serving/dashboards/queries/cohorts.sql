-- One row per quarter of the first order and quarters since: how many customers ordered.
with orders as (
    select
        dim_customers.customer_number,
        dim_dates.calendar_year * 4 + dim_dates.calendar_quarter - 1 as quarter_number,
        min(min(dim_dates.calendar_year * 4 + dim_dates.calendar_quarter - 1))
            over (partition by dim_customers.customer_number) as first_quarter
    from fct_orders
    inner join dim_dates on fct_orders.order_date_key = dim_dates.date_key
    inner join dim_customers on fct_orders.customer_key = dim_customers.customer_key
    where not fct_orders.is_cancelled and dim_dates.date_day is not null
    group by dim_customers.customer_number, dim_dates.calendar_year * 4 + dim_dates.calendar_quarter - 1
)

select
    first_quarter,
    quarter_number - first_quarter as quarters_since,
    count(*) as customer_count
from orders
group by first_quarter, quarter_number - first_quarter
order by first_quarter, quarter_number - first_quarter
