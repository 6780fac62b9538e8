{{ config(materialized='table', post_hook="{{ analyze_table() }}") }}

with
landing_runs as (
    select * from {{ ref('stg_classicmodels__landing_runs') }}
),

-- No month comes after the landing's: a date beyond it is a mistake, or is still to come.
last_month as (
    select cast(date_trunc('month', max(loaded_at)) + interval '1 month' as date) as day_after
    from landing_runs
),

orders as (
    select * from {{ ref('int_orders__bound') }}
    where
        is_in_source
        and customer_number is not null
        and order_date < (select last_month.day_after from last_month)
),

payments as (
    select * from {{ ref('stg_classicmodels__payments') }}
    where
        {{ is_a_day('payment_date') }}
        and payment_date < (select last_month.day_after from last_month)
),

activity as (
    select
        customer_number,
        {{ month_end('order_date') }} as month_end_date,
        1 as order_count,
        0 as payment_count,
        gross_sales_amount as gross_amount,
        case when is_cancelled then 0 else gross_sales_amount end as ordered_amount,
        0 as paid_amount,
        order_date,
        _loaded_at
    from orders
    union all
    select
        customer_number,
        {{ month_end('payment_date') }} as month_end_date,
        0 as order_count,
        1 as payment_count,
        0 as gross_amount,
        0 as ordered_amount,
        payment_amount as paid_amount,
        cast(null as date) as order_date,
        _loaded_at
    from payments
)

select
    customer_number,
    month_end_date,
    cast(sum(order_count) as integer) as order_count,
    cast(sum(payment_count) as integer) as payment_count,
    cast(sum(gross_amount) as numeric(18, 2)) as gross_amount,
    cast(sum(ordered_amount) as numeric(18, 2)) as ordered_amount,
    cast(sum(paid_amount) as numeric(18, 2)) as paid_amount,
    min(order_date) as first_order_date,
    max(order_date) as last_order_date,
    max(_loaded_at) as _loaded_at
from activity
group by customer_number, month_end_date
