{{ config(meta={'dimension': 'accuracy'}) }}
-- At the last month end every customer of the dimension has a balance, and it is all they ordered minus all they paid; what has no day,
-- or one after the landing's month, is in source_exceptions and in no balance.
with last_month as (
    select cast(to_char(max(loaded_at), 'YYYYMM') as integer) as month_key
    from {{ ref('stg_classicmodels__landing_runs') }}
),

last_balances as (
    select * from {{ ref('fct_customer_balances') }}
    where month_end_date_key in (select max(all_months.month_end_date_key) from {{ ref('fct_customer_balances') }} as all_months)
),

customers as (
    select * from {{ ref('dim_customers') }}
),

both_sides as (
    select
        customer_number,
        case when is_cancelled then 0 else gross_sales_amount end as ordered_amount,
        0 as paid_amount
    from {{ ref('int_orders__bound') }}
    where cast(to_char(order_date, 'YYYYMM') as integer) <= (select last_month.month_key from last_month)
    union all
    select
        customer_number,
        0 as ordered_amount,
        payment_amount as paid_amount
    from {{ ref('stg_classicmodels__payments') }}
    where
        cast(to_char(payment_date, 'YYYYMM') as integer) between 190101 and 219912
        and cast(to_char(payment_date, 'YYYYMM') as integer) <= (select last_month.month_key from last_month)
    union all
    select
        customer_number,
        -ordered_amount as ordered_amount,
        -paid_amount as paid_amount
    from last_balances
),

wrong_amounts as (
    select customer_number
    from both_sides
    where customer_number is not null
    group by customer_number
    having sum(ordered_amount) <> 0 or sum(paid_amount) <> 0
),

missing as (
    select customers.customer_number
    from customers
    left join last_balances on customers.customer_number = last_balances.customer_number
    where customers.customer_number is not null and last_balances.customer_number is null
)

select customer_number from wrong_amounts
union
select customer_number from missing
where (select count(*) from last_balances) > 0
