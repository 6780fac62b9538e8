-- One row per customer that went from one representative to another, by the month in which it did.
select
    later.sales_rep_employee_number as employee_number,
    earlier.sales_rep_employee_number as employee_number_before,
    dim_dates.year_month as order_month,
    count(*) as customer_count
from dim_customers as later
inner join dim_customers as earlier
    on later.customer_number = earlier.customer_number and later.version_number = earlier.version_number + 1
inner join dim_dates on cast(later.valid_from as date) = dim_dates.date_day
where coalesce(later.sales_rep_employee_number, -1) <> coalesce(earlier.sales_rep_employee_number, -1)
group by later.sales_rep_employee_number, earlier.sales_rep_employee_number, dim_dates.year_month
order by later.sales_rep_employee_number, dim_dates.year_month
