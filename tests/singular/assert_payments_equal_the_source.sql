{{ config(meta={'dimension': 'accuracy'}) }}
-- The payments in the fact are those in raw: the same ones per customer, day and amount, each as often.
with both_sides as (
    select
        customer_number,
        case
            when payment_date is null then -1
            when to_char(payment_date, 'YYYY') between '1901' and '2199' then cast(to_char(payment_date, 'YYYYMMDD') as integer)
            else -2
        end as payment_date_key,
        coalesce(amount, 0) as payment_amount,
        1 as payment_count
    from {{ source('classicmodels', 'payments') }}
    union all
    select
        customers.customer_number,
        payments.payment_date_key,
        payments.payment_amount,
        -1 as payment_count
    from {{ ref('fct_payments') }} as payments
    left join {{ ref('dim_customers') }} as customers on payments.customer_key = customers.customer_key
)

select
    customer_number,
    payment_date_key,
    payment_amount,
    sum(payment_count) as missing_payments
from both_sides
group by customer_number, payment_date_key, payment_amount
having sum(payment_count) <> 0
