-- One row per month end: what all customers owed together.
select
    dim_dates.year_month as order_month,
    sum(fct_customer_balances.outstanding_amount) as outstanding_amount
from fct_customer_balances
inner join dim_dates on fct_customer_balances.month_end_date_key = dim_dates.date_key
where dim_dates.year_month >= '{{ first_month }}'
group by dim_dates.year_month
order by dim_dates.year_month
