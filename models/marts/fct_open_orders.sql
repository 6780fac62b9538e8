with orders as (
    select * from {{ ref('int_orders__bound') }}
    where is_in_source and not is_cancelled and (is_open or shipped_date is null)
),

landing_runs as (
    select * from {{ ref('stg_classicmodels__landing_runs') }}
),

last_landing as (
    select cast(max(loaded_at) as date) as landing_date
    from landing_runs
),

final as (
    select
        -- keys
        orders.order_number,
        orders.customer_key,
        orders.sales_rep_employee_key,
        orders.office_key,
        orders.order_date_key,
        orders.required_date_key,
        orders.shipped_date_key,
        {{ date_key('last_landing.landing_date') }} as as_of_date_key,

        -- attributes
        orders.order_status,
        coalesce(orders.shipped_date is null and orders.required_date < last_landing.landing_date, false) as is_overdue,

        -- measures
        orders.gross_sales_amount as net_sales_amount,
        cast(last_landing.landing_date - orders.order_date as integer) as days_open,
        cast(
            case
                when orders.shipped_date is null and orders.required_date < last_landing.landing_date
                    then last_landing.landing_date - orders.required_date
                else 0
            end as integer
        ) as days_overdue
    from orders
    cross join last_landing
)

select * from final
