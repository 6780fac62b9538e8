{{
    config(
        materialized='incremental',
        unique_key=['customer_number', 'month_end_date_key'],
        pre_hook="{{ delete_balances_out_of_scope() }}",
    )
}}

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

{% if is_incremental() -%}
stored_span as (
    select
        min(month_end_date_key) as first_month_end_date_key,
        max(month_end_date_key) as last_month_end_date_key
    from {{ this }}
),

stored_totals as (
    select * from {{ this }}
    where month_end_date_key in (select stored_span.last_month_end_date_key from stored_span)
),

new_months as (
    select months.month_end_date_key
    from months
    left join stored_span
        on
            months.month_end_date_key >= stored_span.first_month_end_date_key
            and months.month_end_date_key <= stored_span.last_month_end_date_key
    where stored_span.first_month_end_date_key is null
),

-- What changed by its time of change; what was deleted, or moved to another customer, by the totals it leaves behind.
members_with_changes as (
    select
        totals.customer_number,
        greatest(totals.known_since, totals._loaded_at) as _loaded_at,
        coalesce(
            greatest(totals.known_since, totals._loaded_at) > {{ watermark() }}
            or stored_totals.order_count <> totals.order_count
            or stored_totals.payment_count <> totals.payment_count
            or stored_totals.ordered_amount <> totals.ordered_amount
            or stored_totals.paid_amount <> totals.paid_amount,
            true
        ) as is_changed
    from totals
    left join stored_totals on totals.customer_number = stored_totals.customer_number
),

members_to_build as (
    select
        customer_number,
        _loaded_at,
        is_changed
    from members_with_changes
    where is_changed or exists (select new_months.month_end_date_key from new_months)
),

{% else -%}
members_to_build as (
    select
        customer_number,
        greatest(known_since, _loaded_at) as _loaded_at
    from totals
),

{% endif -%}
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
    inner join members_to_build on activity.customer_number = members_to_build.customer_number
    union all
    select
        members_to_build.customer_number,
        span.first_month_end_date as month_end_date,
        0 as order_count,
        0 as payment_count,
        0 as ordered_amount,
        0 as paid_amount
    from members_to_build
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
        members_to_build._loaded_at
    from running_totals
    inner join members_to_build on running_totals.customer_number = members_to_build.customer_number
    inner join months
        on
            running_totals.holds_from <= months.month_end_date
            and running_totals.holds_to > months.month_end_date
    {%- if is_incremental() %}
    where
        members_to_build.is_changed
        or months.month_end_date_key in (select new_months.month_end_date_key from new_months)
    {%- endif %}
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
