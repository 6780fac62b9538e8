with customers as (
    select * from {{ ref('dim_customers') }}
),

dates as (
    select * from {{ ref('dim_dates') }}
    where is_month_end
),

totals as (
    select * from {{ ref('int_customers__totals') }}
),

activity as (
    select * from {{ ref('int_customers__monthly_activity') }}
),

orders as (
    select * from {{ ref('int_orders__bound') }}
),

payments as (
    select * from {{ ref('stg_classicmodels__payments') }}
),

landings_of_orders as (
    select * from {{ ref('stg_classicmodels__landing_tables') }}
    where table_name = 'orders'
),

-- An order may be dated in the future, and of the day of their last landing it has seen a part only.
last_whole_day as (
    select cast(max(loaded_at) as date) - 1 as date_day
    from landings_of_orders
),

customers_who_ordered as (
    select
        customer_number,
        order_count,
        payment_count,
        gross_amount,
        paid_amount,
        greatest(known_since, _loaded_at) as _loaded_at
    from totals
    where order_count > 0
),

span as (
    select
        min(first_month_end_date) as first_month_end_date,
        max(last_month_end_date) as last_month_end_date,
        max(last_order_date) as last_order_date
    from totals
),

-- The label is known once the 90 days after the month lie within the data and are over.
months as (
    select
        dates.date_key as as_of_date_key,
        dates.date_day as as_of_date,
        dates.date_day + 90 <= least(span.last_order_date, last_whole_day.date_day) as is_label_known
    from dates
    inner join span
        on
            dates.date_day >= span.first_month_end_date
            and dates.date_day <= span.last_month_end_date
    cross join last_whole_day
),

members as (
    select
        customer_number,
        _loaded_at
    from customers_who_ordered
    where customer_number not in ({{ erased_customers() }})
),

payment_events as (
    select
        orders.customer_number,
        orders.order_date as event_date,
        0 as is_payment,
        orders.order_date
    from members
    inner join orders on members.customer_number = orders.customer_number
    union all
    select
        payments.customer_number,
        payments.payment_date as event_date,
        1 as is_payment,
        cast(null as date) as order_date
    from members
    inner join payments on members.customer_number = payments.customer_number
),

payments_with_order_before as (
    select
        customer_number,
        event_date,
        is_payment,
        max(order_date) over (
            partition by customer_number order by event_date, is_payment rows unbounded preceding
        ) as latest_order_date
    from payment_events
),

payment_delays as (
    select
        customer_number,
        {{ month_end('event_date') }} as month_end_date,
        sum(event_date - latest_order_date) as days_to_pay,
        count(latest_order_date) as payments_after_an_order
    from payments_with_order_before
    where is_payment = 1
    group by customer_number, {{ month_end('event_date') }}
),

movements as (
    select
        activity.customer_number,
        activity.month_end_date,
        activity.order_count,
        activity.payment_count,
        activity.gross_amount,
        activity.paid_amount,
        activity.first_order_date,
        activity.last_order_date,
        payment_delays.days_to_pay,
        payment_delays.payments_after_an_order
    from members
    inner join activity on members.customer_number = activity.customer_number
    left join payment_delays
        on
            activity.customer_number = payment_delays.customer_number
            and activity.month_end_date = payment_delays.month_end_date
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
        {%- for measure in ['order_count', 'payment_count', 'gross_amount', 'paid_amount', 'days_to_pay', 'payments_after_an_order'] %}
        sum({{ measure }}) over (
            partition by customer_number order by month_end_date rows unbounded preceding
        ) as {{ measure }},
        {%- endfor %}
        min(first_order_date) over (
            partition by customer_number order by month_end_date rows unbounded preceding
        ) as first_order_date,
        max(last_order_date) over (
            partition by customer_number order by month_end_date rows unbounded preceding
        ) as last_order_date,
        min(first_order_date) over (
            partition by customer_number order by month_end_date rows between 1 following and unbounded following
        ) as next_order_date
    from movements
),

monthly_totals as (
    select
        running_totals.customer_number,
        months.as_of_date_key,
        months.as_of_date,
        months.is_label_known,
        {%- for measure in ['order_count', 'payment_count', 'gross_amount', 'paid_amount', 'days_to_pay', 'payments_after_an_order'] %}
        running_totals.{{ measure }},
        {%- endfor %}
        running_totals.first_order_date,
        running_totals.last_order_date,
        {%- for back in [3, 12] %}
        running_totals.order_count - coalesce(
            lag(running_totals.order_count, {{ back }}) over (
                partition by running_totals.customer_number order by months.as_of_date
            ), 0
        ) as orders_last_{{ back }}_months,
        running_totals.gross_amount - coalesce(
            lag(running_totals.gross_amount, {{ back }}) over (
                partition by running_totals.customer_number order by months.as_of_date
            ), 0
        ) as gross_sales_last_{{ back }}_months_amount,
        {%- endfor %}
        running_totals.next_order_date
    from running_totals
    inner join months
        on
            running_totals.holds_from <= months.as_of_date
            and running_totals.holds_to > months.as_of_date
),

final as (
    select
        -- keys
        cast(coalesce(customers.customer_key, {{ unknown_key() }}) as varchar(32)) as customer_key,
        monthly_totals.customer_number,
        monthly_totals.as_of_date_key,

        -- recency, frequency, monetary value
        cast(monthly_totals.as_of_date - monthly_totals.last_order_date as integer) as recency_days,
        cast(monthly_totals.as_of_date - monthly_totals.first_order_date as integer) as tenure_days,
        cast(monthly_totals.order_count as integer) as order_count,
        cast(monthly_totals.orders_last_3_months as integer) as orders_last_3_months,
        cast(monthly_totals.orders_last_12_months as integer) as orders_last_12_months,
        cast(monthly_totals.gross_amount as numeric(18, 2)) as gross_sales_amount,
        cast(monthly_totals.gross_sales_last_3_months_amount as numeric(18, 2)) as gross_sales_last_3_months_amount,
        cast(monthly_totals.gross_sales_last_12_months_amount as numeric(18, 2)) as gross_sales_last_12_months_amount,
        cast(monthly_totals.gross_amount / monthly_totals.order_count as numeric(18, 2)) as average_order_amount,

        -- paying
        cast(monthly_totals.payment_count as integer) as payment_count,
        cast(monthly_totals.paid_amount as numeric(18, 2)) as paid_amount,
        cast(
            cast(monthly_totals.days_to_pay as numeric(18, 4))
            / nullif(monthly_totals.payments_after_an_order, 0) as numeric(9, 2)
        ) as average_days_to_pay,

        -- label
        monthly_totals.is_label_known,
        case
            when monthly_totals.is_label_known
                then coalesce(monthly_totals.next_order_date <= monthly_totals.as_of_date + 90, false)
        end as bought_in_next_90_days,

        -- lineage
        members._loaded_at
    from monthly_totals
    inner join members on monthly_totals.customer_number = members.customer_number
    left join customers
        on
            monthly_totals.customer_number = customers.customer_number
            and monthly_totals.as_of_date >= customers.binds_from
            and monthly_totals.as_of_date < customers.binds_to
    where monthly_totals.first_order_date is not null
)

select * from final
