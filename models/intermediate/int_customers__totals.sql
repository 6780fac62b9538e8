{{ config(materialized='table', post_hook="{{ analyze_table() }}") }}

with customers as (
    select * from {{ ref('dim_customers') }}
    where customer_number is not null
),

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
    where {{ is_a_day('payment_date') }} and payment_date < (select last_month.day_after from last_month)
),

members as (
    select
        customer_number,
        max(known_since) as known_since
    from customers
    group by customer_number
),

orders_by_customer as (
    select
        customer_number,
        count(*) as order_count,
        sum(gross_sales_amount) as gross_amount,
        sum(case when is_cancelled then 0 else gross_sales_amount end) as ordered_amount,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        max(_loaded_at) as _loaded_at
    from orders
    group by customer_number
),

payments_by_customer as (
    select
        customer_number,
        count(*) as payment_count,
        sum(payment_amount) as paid_amount,
        min(payment_date) as first_payment_date,
        max(payment_date) as last_payment_date,
        max(_loaded_at) as _loaded_at
    from payments
    group by customer_number
)

select
    members.customer_number,
    members.known_since,
    coalesce(orders_by_customer.order_count, 0) as order_count,
    coalesce(payments_by_customer.payment_count, 0) as payment_count,
    cast(coalesce(orders_by_customer.gross_amount, 0) as numeric(18, 2)) as gross_amount,
    cast(coalesce(orders_by_customer.ordered_amount, 0) as numeric(18, 2)) as ordered_amount,
    cast(coalesce(payments_by_customer.paid_amount, 0) as numeric(18, 2)) as paid_amount,
    orders_by_customer.first_order_date,
    orders_by_customer.last_order_date,
    {{ month_end('least(orders_by_customer.first_order_date, payments_by_customer.first_payment_date)') }} as first_month_end_date,
    {{ month_end('greatest(orders_by_customer.last_order_date, payments_by_customer.last_payment_date)') }} as last_month_end_date,
    greatest(orders_by_customer._loaded_at, payments_by_customer._loaded_at) as _loaded_at
from members
left join orders_by_customer on members.customer_number = orders_by_customer.customer_number
left join payments_by_customer on members.customer_number = payments_by_customer.customer_number
