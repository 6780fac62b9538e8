{{ config(meta={'dimension': 'timeliness'}) }}
-- What a model learns from is what was known on the day: counted anew from the orders and payments up to it, and none after.
with orders as (
    select
        customer_number,
        order_date as event_date,
        gross_sales_amount,
        1 as order_count,
        0 as payment_count,
        0 as paid_amount,
        order_date
    from {{ ref('int_orders__bound') }}
    where is_in_source and customer_number is not null
),

payments as (
    select
        customer_number,
        payment_date as event_date,
        0 as gross_sales_amount,
        0 as order_count,
        1 as payment_count,
        payment_amount as paid_amount,
        cast(null as date) as order_date
    from {{ ref('stg_classicmodels__payments') }}
    where {{ is_a_day('payment_date') }}
),

events as (
    select * from orders
    union all
    select * from payments
),

counted as (
    select
        features.customer_number,
        features.as_of_date_key,
        dates.date_day,
        sum(events.order_count) as order_count,
        sum(
            case when events.event_date >= dates.month_start_date - interval '2 months' then events.order_count else 0 end
        ) as orders_last_3_months,
        sum(
            case when events.event_date >= dates.month_start_date - interval '11 months' then events.order_count else 0 end
        ) as orders_last_12_months,
        sum(events.gross_sales_amount) as gross_sales_amount,
        sum(events.payment_count) as payment_count,
        sum(events.paid_amount) as paid_amount,
        min(events.order_date) as first_order_date,
        max(events.order_date) as last_order_date
    from {{ ref('ml_customer_features') }} as features
    inner join {{ ref('dim_dates') }} as dates on features.as_of_date_key = dates.date_key
    left join events
        on
            features.customer_number = events.customer_number
            and dates.date_day >= events.event_date
    group by features.customer_number, features.as_of_date_key, dates.date_day
)

select
    features.customer_number,
    features.as_of_date_key
from {{ ref('ml_customer_features') }} as features
inner join counted
    on
        features.customer_number = counted.customer_number
        and features.as_of_date_key = counted.as_of_date_key
where
    features.order_count <> counted.order_count
    or features.orders_last_3_months <> counted.orders_last_3_months
    or features.orders_last_12_months <> counted.orders_last_12_months
    or features.gross_sales_amount <> counted.gross_sales_amount
    or features.payment_count <> counted.payment_count
    or features.paid_amount <> counted.paid_amount
    or features.recency_days <> counted.date_day - counted.last_order_date
    or features.tenure_days <> counted.date_day - counted.first_order_date
