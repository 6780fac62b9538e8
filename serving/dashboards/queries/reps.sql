-- One row per sales representative and month: kept orders, and the customers who gave them.
select
    dim_employees.employee_number,
    dim_dates.year_month as order_month,
    sum(fct_orders.net_sales_amount) as net_sales_amount,
    count(*) as order_count
from fct_orders
inner join dim_dates on fct_orders.order_date_key = dim_dates.date_key
left join dim_employees on fct_orders.sales_rep_employee_key = dim_employees.employee_key
where not fct_orders.is_cancelled and dim_dates.year_month between '{{ first_month }}' and '{{ last_month }}'
group by dim_employees.employee_number, dim_dates.year_month
order by dim_employees.employee_number, dim_dates.year_month
