-- One row per reason why orders of closed months are no longer what was reported.
select
    reason,
    count(*) as order_count,
    sum(adjustment_amount) as adjustment_amount
from fct_sales_adjustments
group by reason
order by reason
