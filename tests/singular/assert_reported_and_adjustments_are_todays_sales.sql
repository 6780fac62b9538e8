{{ config(meta={'dimension': 'accuracy'}) }}
-- What was reported of a closed month, and its adjustments, are today's net sales of the month; none with sales is left out.
select
    months_closed.year_month,
    closed_months.net_sales_amount,
    by_month.net_sales_amount as net_sales_amount_today
from {{ ref('int_months__closed') }} as months_closed
left join {{ ref('fct_closed_months') }} as closed_months on months_closed.month_end_date_key = closed_months.month_end_date_key
left join {{ ref('metrics_by_month') }} as by_month on months_closed.year_month = by_month.year_month
where coalesce(closed_months.net_sales_amount, 0) <> coalesce(by_month.net_sales_amount, 0)
