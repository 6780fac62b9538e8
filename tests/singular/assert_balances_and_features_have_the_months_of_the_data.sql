{{ config(meta={'dimension': 'timeliness'}) }}
-- Balances run from the first to the last month with an order or a payment, features from a customer's first order to that last
-- month, with no month missing and none beyond. Month by month: as many customers, and the same ones by the sum of their
-- numbers, as should be there; that none is there twice is another test's.
with totals as (
    select * from {{ ref('int_customers__totals') }}
),

span as (
    select
        min(first_month_end_date) as first_month,
        max(last_month_end_date) as last_month
    from totals
),

months as (
    select
        dates.date_key,
        dates.date_day
    from {{ ref('dim_dates') }} as dates
    inner join span
        on
            dates.date_day >= span.first_month
            and dates.date_day <= span.last_month
    where dates.is_month_end
),

customers as (
    select
        count(distinct customer_number) as customer_count,
        sum(distinct customer_number) as customer_numbers
    from {{ ref('dim_customers') }}
    where customer_number is not null
),

first_orders as (
    select
        customer_number,
        {{ month_end('first_order_date') }} as first_month
    from totals
    where order_count > 0 and customer_number not in ({{ erased_customers() }})
),

customers_by_first_month as (
    select
        first_month,
        count(*) as customer_count,
        sum(customer_number) as customer_numbers
    from first_orders
    group by first_month
),

both_sides as (
    select
        'balances' as mart,
        months.date_key as month_key,
        customers.customer_count,
        customers.customer_numbers
    from months
    cross join customers
    union all
    select
        'features' as mart,
        months.date_key as month_key,
        customers_by_first_month.customer_count,
        customers_by_first_month.customer_numbers
    from months
    inner join customers_by_first_month on months.date_day >= customers_by_first_month.first_month
    union all
    select
        'balances' as mart,
        month_end_date_key as month_key,
        -count(*) as customer_count,
        -sum(customer_number) as customer_numbers
    from {{ ref('fct_customer_balances') }}
    group by month_end_date_key
    union all
    select
        'features' as mart,
        as_of_date_key as month_key,
        -count(*) as customer_count,
        -sum(customer_number) as customer_numbers
    from {{ ref('ml_customer_features') }}
    group by as_of_date_key
)

select
    mart,
    month_key,
    sum(customer_count) as missing_customers,
    sum(customer_numbers) as missing_customer_numbers
from both_sides
group by mart, month_key
having sum(customer_count) <> 0 or sum(customer_numbers) <> 0
