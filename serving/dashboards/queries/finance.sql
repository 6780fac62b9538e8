-- One row per month: net sales as they were reported and as they are now, what was owed at its end, and that in days of sales.
select
    metrics_by_month.year_month as order_month,
    metrics_by_month.net_sales_amount,
    fct_closed_months.reported_amount,
    fct_closed_months.adjustment_amount,
    metrics_by_month.outstanding_amount,
    metrics_by_month.days_sales_outstanding
from metrics_by_month
left join fct_closed_months on metrics_by_month.year_month = fct_closed_months.year_month
where metrics_by_month.year_month between '{{ first_month }}' and '{{ last_month }}'
order by metrics_by_month.year_month
