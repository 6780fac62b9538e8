-- Balances run from the first to the last month with an order or a payment, features from a customer's first order to that last
-- month, with no month missing and none beyond.
with activity as (
    select * from {{ ref('int_customers__monthly_activity') }}
),

span as (
    select
        min(month_end_date) as first_month,
        max(month_end_date) as last_month
    from activity
),

expected as (
    select
        'balances' as mart,
        customers.customer_number,
        span.first_month,
        span.last_month
    from {{ ref('dim_customers') }} as customers
    cross join span
    where customers.customer_number is not null
    union
    select
        'features' as mart,
        activity.customer_number,
        min(activity.month_end_date) as first_month,
        max(span.last_month) as last_month
    from activity
    cross join span
    where activity.order_count > 0
    group by activity.customer_number
),

found as (
    select
        'balances' as mart,
        customer_number,
        min(month_end_date_key) as first_key,
        max(month_end_date_key) as last_key,
        count(*) as month_count
    from {{ ref('fct_customer_balances') }}
    group by customer_number
    union all
    select
        'features' as mart,
        customer_number,
        min(as_of_date_key) as first_key,
        max(as_of_date_key) as last_key,
        count(*) as month_count
    from {{ ref('ml_customer_features') }}
    group by customer_number
)

select
    expected.mart,
    expected.customer_number,
    found.mart as found_in,
    found.customer_number as found_customer_number
from expected
full outer join found on expected.mart = found.mart and expected.customer_number = found.customer_number
where
    expected.customer_number is null
    or found.customer_number is null
    or found.first_key <> {{ date_key('expected.first_month') }}
    or found.last_key <> {{ date_key('expected.last_month') }}
    or found.month_count <> (
        12 * (extract(year from expected.last_month) - extract(year from expected.first_month))
        + extract(month from expected.last_month) - extract(month from expected.first_month) + 1
    )
