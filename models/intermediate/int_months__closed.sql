{{ config(materialized='table', post_hook="{{ analyze_table() }}") }}

with dates as (
    select * from {{ ref('dim_dates') }}
    where is_month_end
),

landing_runs as (
    select * from {{ ref('stg_classicmodels__landing_runs') }}
),

order_versions as (
    select * from {{ ref('int_orders__versioned') }}
),

landing_days as (
    select
        cast(loaded_at as date) as landing_date,
        min(loaded_at) as loaded_at
    from landing_runs
    group by cast(loaded_at as date)
),

-- Nothing is remembered from before the first version.
first_version as (
    select min(valid_from) as valid_from
    from order_versions
),

final as (
    select
        dates.date_key as month_end_date_key,
        dates.year_month,
        greatest(min(landing_days.loaded_at), min(first_version.valid_from)) as closed_at
    from dates
    inner join landing_days on dates.date_day < landing_days.landing_date
    cross join first_version
    group by dates.date_key, dates.year_month
)

select * from final
