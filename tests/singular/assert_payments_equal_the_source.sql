-- Payments in the fact equal those in raw, per customer and day.
with both_sides as (
    select
        customer_number,
        cast(to_char(payment_date, 'YYYYMMDD') as integer) as payment_date_key,
        1 as payment_count,
        amount as payment_amount
    from {{ source('classicmodels', 'payments') }}
    union all
    select
        customers.customer_number,
        payments.payment_date_key,
        -1 as payment_count,
        -payments.payment_amount as payment_amount
    from {{ ref('fct_payments') }} as payments
    left join {{ ref('dim_customers') }} as customers on payments.customer_key = customers.customer_key
)

select
    customer_number,
    payment_date_key,
    sum(payment_count) as missing_payments,
    sum(payment_amount) as missing_amount
from both_sides
group by customer_number, payment_date_key
having sum(payment_count) <> 0 or sum(payment_amount) <> 0
