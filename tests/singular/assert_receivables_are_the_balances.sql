{{ config(meta={'dimension': 'accuracy'}) }}
-- Who owes, and what, is the same in fct_receivables as in fct_customer_balances, customer by customer and month by month.
select
    coalesce(balances.customer_number, receivables.customer_number) as customer_number,
    coalesce(balances.month_end_date_key, receivables.month_end_date_key) as month_end_date_key
from {{ ref('fct_customer_balances') }} as balances
full outer join {{ ref('fct_receivables') }} as receivables
    on
        balances.customer_number = receivables.customer_number
        and balances.month_end_date_key = receivables.month_end_date_key
where coalesce(balances.outstanding_amount, 0) <> coalesce(receivables.outstanding_amount, 0)
