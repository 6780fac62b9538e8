with closed_months as (
    select * from {{ ref('int_months__closed') }}
),

versions as (
    select * from {{ ref('int_orders__versioned') }}
),

adjustments as (
    select * from {{ ref('fct_sales_adjustments') }}
),

reported as (
    select
        closed_months.month_end_date_key,
        sum(case when versions.is_cancelled then 0 else versions.gross_sales_amount end) as reported_amount
    from closed_months
    inner join versions
        on
            closed_months.year_month = to_char(versions.order_date, 'YYYY-MM')
            and closed_months.closed_at >= versions.valid_from
            and closed_months.closed_at < versions.valid_to
    group by closed_months.month_end_date_key
),

adjusted as (
    select
        month_end_date_key,
        sum(adjustment_amount) as adjustment_amount
    from adjustments
    group by month_end_date_key
),

final as (
    select
        -- keys
        closed_months.month_end_date_key,

        -- attributes
        cast(closed_months.year_month as varchar(16)) as year_month,
        closed_months.closed_at,

        -- measures
        cast(coalesce(reported.reported_amount, 0) as numeric(18, 2)) as reported_amount,
        cast(coalesce(adjusted.adjustment_amount, 0) as numeric(18, 2)) as adjustment_amount,
        cast(coalesce(reported.reported_amount, 0) + coalesce(adjusted.adjustment_amount, 0) as numeric(18, 2)) as net_sales_amount
    from closed_months
    left join reported on closed_months.month_end_date_key = reported.month_end_date_key
    left join adjusted on closed_months.month_end_date_key = adjusted.month_end_date_key
    where reported.month_end_date_key is not null or adjusted.month_end_date_key is not null
)

select * from final
