with closed_months as (
    select * from {{ ref('int_months__closed') }}
),

versions as (
    select * from {{ ref('int_orders__versioned') }}
),

orders as (
    select * from {{ ref('int_orders__bound') }}
    where is_in_source and order_date is not null
),

reported as (
    select
        closed_months.month_end_date_key,
        versions.order_number,
        versions.is_cancelled,
        case when versions.is_cancelled then 0 else versions.gross_sales_amount end as net_sales_amount
    from closed_months
    inner join versions
        on
            closed_months.year_month = to_char(versions.order_date, 'YYYY-MM')
            and closed_months.closed_at >= versions.valid_from
            and closed_months.closed_at < versions.valid_to
),

today as (
    select
        closed_months.month_end_date_key,
        orders.order_number,
        orders.is_cancelled,
        case when orders.is_cancelled then 0 else orders.gross_sales_amount end as net_sales_amount
    from closed_months
    inner join orders on closed_months.year_month = to_char(orders.order_date, 'YYYY-MM')
),

differences as (
    select
        coalesce(reported.month_end_date_key, today.month_end_date_key) as month_end_date_key,
        coalesce(reported.order_number, today.order_number) as order_number,
        reported.is_cancelled as was_cancelled,
        today.is_cancelled,
        coalesce(reported.net_sales_amount, 0) as reported_amount,
        coalesce(today.net_sales_amount, 0) as net_sales_amount
    from reported
    full outer join today
        on reported.month_end_date_key = today.month_end_date_key and reported.order_number = today.order_number
    where coalesce(reported.net_sales_amount, 0) <> coalesce(today.net_sales_amount, 0)
),

final as (
    select
        -- keys
        differences.month_end_date_key,
        differences.order_number,

        -- attributes
        cast(
            case
                when differences.was_cancelled is null and versions.order_number is null then 'arrived late'
                when differences.is_cancelled is null and orders.order_number is null then 'deleted'
                when differences.was_cancelled is null or differences.is_cancelled is null then 'moved'
                when differences.is_cancelled then 'cancelled'
                when differences.was_cancelled then 'reinstated'
                else 'corrected'
            end as varchar(16)
        ) as reason,

        -- measures
        cast(differences.reported_amount as numeric(18, 2)) as reported_amount,
        cast(differences.net_sales_amount - differences.reported_amount as numeric(18, 2)) as adjustment_amount,
        cast(differences.net_sales_amount as numeric(18, 2)) as net_sales_amount
    from differences
    inner join closed_months on differences.month_end_date_key = closed_months.month_end_date_key
    left join orders on differences.order_number = orders.order_number
    left join versions
        on
            differences.order_number = versions.order_number
            and closed_months.closed_at >= versions.valid_from
            and closed_months.closed_at < versions.valid_to
)

select * from final
