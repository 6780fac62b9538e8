with balances as (
    select * from {{ ref('fct_customer_balances') }}
    where outstanding_amount <> 0
),

dates as (
    select * from {{ ref('dim_dates') }}
),

orders as (
    select * from {{ ref('int_orders__bound') }}
    where not is_cancelled and gross_sales_amount > 0
),

landing_runs as (
    select * from {{ ref('stg_classicmodels__landing_runs') }}
),

last_landing as (
    select cast(max(loaded_at) as date) as landing_date
    from landing_runs
),

-- The month that is not over is looked at from the landing's day.
month_ends as (
    select
        dates.date_key as month_end_date_key,
        dates.date_day as month_end_date,
        least(dates.date_day, last_landing.landing_date) as as_of_date
    from dates
    cross join last_landing
    where dates.is_month_end
),

owed as (
    select
        balances.customer_key,
        balances.customer_number,
        balances.month_end_date_key,
        month_ends.month_end_date,
        month_ends.as_of_date,
        balances.outstanding_amount
    from balances
    inner join month_ends on balances.month_end_date_key = month_ends.month_end_date_key
),

-- What was paid went to the oldest orders, so what is owed is for the newest.
orders_by_age as (
    select
        owed.customer_number,
        owed.month_end_date_key,
        owed.outstanding_amount,
        orders.gross_sales_amount,
        owed.as_of_date - orders.order_date - {{ var('payment_terms_days') }} as days_past_due,
        sum(orders.gross_sales_amount) over (
            partition by owed.customer_number, owed.month_end_date_key
            order by orders.order_date desc, orders.order_number desc
            rows unbounded preceding
        ) - orders.gross_sales_amount as amount_of_newer_orders
    from owed
    inner join orders
        on
            owed.customer_number = orders.customer_number
            and owed.month_end_date >= orders.order_date
),

open_amounts as (
    select
        customer_number,
        month_end_date_key,
        days_past_due,
        least(gross_sales_amount, outstanding_amount - amount_of_newer_orders) as open_amount
    from orders_by_age
    where outstanding_amount > amount_of_newer_orders
),

aged as (
    select
        customer_number,
        month_end_date_key,
        sum(case when days_past_due <= 0 then open_amount else 0 end) as current_amount,
        sum(case when days_past_due between 1 and 30 then open_amount else 0 end) as due_1_to_30_days_amount,
        sum(case when days_past_due between 31 and 60 then open_amount else 0 end) as due_31_to_60_days_amount,
        sum(case when days_past_due between 61 and 90 then open_amount else 0 end) as due_61_to_90_days_amount,
        sum(case when days_past_due > 90 then open_amount else 0 end) as due_over_90_days_amount
    from open_amounts
    group by customer_number, month_end_date_key
),

final as (
    select
        -- keys
        owed.customer_key,
        owed.customer_number,
        owed.month_end_date_key,
        {{ date_key('owed.as_of_date') }} as as_of_date_key,

        -- measures
        {%- for days in ['current', 'due_1_to_30_days', 'due_31_to_60_days', 'due_61_to_90_days', 'due_over_90_days'] %}
        cast(coalesce(aged.{{ days }}_amount, 0) as numeric(18, 2)) as {{ days }}_amount,
        {%- endfor %}
        cast(case when owed.outstanding_amount < 0 then -owed.outstanding_amount else 0 end as numeric(18, 2)) as paid_ahead_amount,
        owed.outstanding_amount
    from owed
    left join aged
        on
            owed.customer_number = aged.customer_number
            and owed.month_end_date_key = aged.month_end_date_key
)

select * from final
