with customers as (
    select * from {{ ref('dim_customers') }}
    where customer_number is not null
),

totals as (
    select * from {{ ref('int_customers__totals') }}
),

activity as (
    select * from {{ ref('int_customers__monthly_activity') }}
),

dates as (
    select * from {{ ref('dim_dates') }}
    where is_month_end
),

-- The data's own span: from the first to the last month with an order or a payment.
span as (
    select
        min(first_month_end_date) as first_month_end_date,
        max(last_month_end_date) as last_month_end_date
    from totals
),

months as (
    select
        dates.date_key as month_end_date_key,
        dates.date_day as month_end_date
    from dates
    inner join span
        on
            dates.date_day >= span.first_month_end_date
            and dates.date_day <= span.last_month_end_date
),

members as (
    select
        customer_number,
        greatest(known_since, _loaded_at) as _loaded_at
    from totals
),

-- Every customer starts the span with nothing ordered and nothing paid.
movements as (
    select
        activity.customer_number,
        activity.month_end_date,
        activity.order_count,
        activity.payment_count,
        activity.ordered_amount,
        activity.paid_amount
    from activity
    inner join members on activity.customer_number = members.customer_number
    union all
    select
        members.customer_number,
        span.first_month_end_date as month_end_date,
        0 as order_count,
        0 as payment_count,
        0 as ordered_amount,
        0 as paid_amount
    from members
    cross join span
),

monthly_movements as (
    select
        customer_number,
        month_end_date,
        sum(order_count) as order_count,
        sum(payment_count) as payment_count,
        sum(ordered_amount) as ordered_amount,
        sum(paid_amount) as paid_amount
    from movements
    group by customer_number, month_end_date
),

-- A running total holds from its month until the customer's next movement.
running_totals as (
    select
        customer_number,
        month_end_date as holds_from,
        coalesce(
            lead(month_end_date) over (partition by customer_number order by month_end_date),
            cast({{ end_of_time() }} as date)
        ) as holds_to,
        sum(order_count) over (
            partition by customer_number order by month_end_date rows unbounded preceding
        ) as order_count,
        sum(payment_count) over (
            partition by customer_number order by month_end_date rows unbounded preceding
        ) as payment_count,
        sum(ordered_amount) over (
            partition by customer_number order by month_end_date rows unbounded preceding
        ) as ordered_amount,
        sum(paid_amount) over (
            partition by customer_number order by month_end_date rows unbounded preceding
        ) as paid_amount
    from monthly_movements
),

balances as (
    select
        running_totals.customer_number,
        months.month_end_date_key,
        months.month_end_date,
        running_totals.order_count,
        running_totals.payment_count,
        running_totals.ordered_amount,
        running_totals.paid_amount,
        members._loaded_at
    from running_totals
    inner join members on running_totals.customer_number = members.customer_number
    inner join months
        on
            running_totals.holds_from <= months.month_end_date
            and running_totals.holds_to > months.month_end_date
),

final as (
    select
        -- keys
        cast(coalesce(customers.customer_key, {{ unknown_key() }}) as varchar(32)) as customer_key,
        balances.customer_number,
        balances.month_end_date_key,

        -- measures
        cast(balances.order_count as integer) as order_count,
        cast(balances.payment_count as integer) as payment_count,
        cast(balances.ordered_amount as numeric(18, 2)) as ordered_amount,
        cast(balances.paid_amount as numeric(18, 2)) as paid_amount,
        cast(balances.ordered_amount - balances.paid_amount as numeric(18, 2)) as outstanding_amount,
        customers.credit_limit,
        coalesce(
            customers.has_credit_limit
            and balances.ordered_amount - balances.paid_amount > customers.credit_limit,
            false
        ) as is_over_limit,

        -- lineage
        balances._loaded_at
    from balances
    left join customers
        on
            balances.customer_number = customers.customer_number
            and balances.month_end_date >= customers.binds_from
            and balances.month_end_date < customers.binds_to
)

select * from final
