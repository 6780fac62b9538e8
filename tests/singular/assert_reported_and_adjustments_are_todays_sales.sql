{{ config(meta={'dimension': 'accuracy'}) }}
-- What was reported of a closed month, and its adjustments, are today's net sales of the month.
select
    closed_months.year_month,
    closed_months.net_sales_amount,
    by_month.net_sales_amount as net_sales_amount_today
from {{ ref('fct_closed_months') }} as closed_months
left join {{ ref('metrics_by_month') }} as by_month on closed_months.year_month = by_month.year_month
where closed_months.net_sales_amount <> coalesce(by_month.net_sales_amount, 0)
