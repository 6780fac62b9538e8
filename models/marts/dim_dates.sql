with orders as (
    select * from {{ ref('stg_classicmodels__orders') }}
),

payments as (
    select * from {{ ref('stg_classicmodels__payments') }}
),

landing_runs as (
    select * from {{ ref('stg_classicmodels__landing_runs') }}
),

days_seen as (
    select order_date as day_seen from orders
    union all
    select required_date as day_seen from orders
    union all
    select shipped_date as day_seen from orders
    union all
    select payment_date as day_seen from payments
    union all
    select cast(loaded_at as date) as day_seen from landing_runs
),

-- Whole calendar years, so that a year's report has all its days.
span as (
    select
        cast(date_trunc('year', min(day_seen)) as date) as first_day,
        cast(date_trunc('year', max(day_seen)) + interval '1 year' as date) as day_after
    from days_seen
    where {{ is_a_day('day_seen') }}
),

digits as (
    {%- for digit in range(10) %}
    select {{ digit }} as digit
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

numbers as (
    select
        10000 * ten_thousands.digit + 1000 * thousands.digit + 100 * hundreds.digit
        + 10 * tens.digit + ones.digit as number
    from digits as ten_thousands
    cross join digits as thousands
    cross join digits as hundreds
    cross join digits as tens
    cross join digits as ones
),

days as (
    select span.first_day + numbers.number as date_day
    from span
    inner join numbers on span.first_day + numbers.number < span.day_after
),

calendar as (
    select
        {{ date_key('date_day') }} as date_key,
        cast(date_day as date) as date_day,
        cast(date_day as date) - cast(extract(dow from date_day) + 6 as integer) % 7 as week_start_date,
        cast(date_trunc('month', date_day) as date) as month_start_date,
        {{ month_end('date_day') }} as month_end_date,
        cast(extract(year from date_day) as integer) as calendar_year,
        cast(extract(quarter from date_day) as integer) as calendar_quarter,
        cast(extract(month from date_day) as integer) as calendar_month,
        cast(extract(day from date_day) as integer) as day_of_month,
        cast(extract(dow from date_day) + 6 as integer) % 7 + 1 as day_of_week,
        to_char(date_day, 'YYYY') || '-Q' || to_char(date_day, 'Q') as year_quarter,
        to_char(date_day, 'YYYY-MM') as year_month,
        trim(to_char(date_day, 'Month')) as month_name,
        trim(to_char(date_day, 'Day')) as day_name,
        'day' as member_type
    from days
),

final as (
    select
        date_key,
        date_day,
        week_start_date,
        month_start_date,
        month_end_date,
        calendar_year,
        calendar_quarter,
        calendar_month,
        day_of_month,
        day_of_week,
        -- The week of a Thursday is that of the year the Thursday is in (ISO 8601).
        cast(extract(year from week_start_date + 3) as integer) as iso_year,
        (cast(extract(doy from week_start_date + 3) as integer) + 6) / 7 as iso_week,
        -- A fiscal year is named after the calendar year in which it ends.
        calendar_year + case
            when {{ var('fiscal_year_first_month') }} > 1 and calendar_month >= {{ var('fiscal_year_first_month') }} then 1
            else 0
        end as fiscal_year,
        (calendar_month - {{ var('fiscal_year_first_month') }} + 12) % 12 / 3 + 1 as fiscal_quarter,
        cast(year_quarter as varchar(16)) as year_quarter,
        cast(year_month as varchar(16)) as year_month,
        cast(month_name as varchar(16)) as month_name,
        cast(day_name as varchar(16)) as day_name,
        day_of_week >= 6 as is_weekend,
        date_day = month_end_date as is_month_end,
        cast(member_type as varchar(16)) as member_type
    from calendar
    {%- for key, member in [(unknown_date_key(), 'unknown'), (sentinel_date_key(), 'sentinel'), (not_yet_date_key(), 'not yet')] %}
    union all
    select
        {{ key }} as date_key,
        cast(null as date) as date_day,
        cast(null as date) as week_start_date,
        cast(null as date) as month_start_date,
        cast(null as date) as month_end_date,
        cast(null as integer) as calendar_year,
        cast(null as integer) as calendar_quarter,
        cast(null as integer) as calendar_month,
        cast(null as integer) as day_of_month,
        cast(null as integer) as day_of_week,
        cast(null as integer) as iso_year,
        cast(null as integer) as iso_week,
        cast(null as integer) as fiscal_year,
        cast(null as integer) as fiscal_quarter,
        cast('{{ member }}' as varchar(16)) as year_quarter,
        cast('{{ member }}' as varchar(16)) as year_month,
        cast('{{ member }}' as varchar(16)) as month_name,
        cast('{{ member }}' as varchar(16)) as day_name,
        cast(null as boolean) as is_weekend,
        cast(null as boolean) as is_month_end,
        cast('{{ member }}' as varchar(16)) as member_type
    {%- endfor %}
)

select * from final
