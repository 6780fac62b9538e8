{{ config(meta={'dimension': 'completeness'}) }}
-- Whole calendar years, from the first to the last that an order, a payment or a landing falls in, and no other; "unknown",
-- "sentinel" and "not yet" are there once.
with days_seen as (
    select
        min(order_date) as first_day,
        max(order_date) as last_day
    from {{ source('classicmodels', 'orders') }}
    where to_char(order_date, 'YYYY') between '1901' and '2199'
    union all
    select
        min(required_date) as first_day,
        max(required_date) as last_day
    from {{ source('classicmodels', 'orders') }}
    where to_char(required_date, 'YYYY') between '1901' and '2199'
    union all
    select
        min(shipped_date) as first_day,
        max(shipped_date) as last_day
    from {{ source('classicmodels', 'orders') }}
    where to_char(shipped_date, 'YYYY') between '1901' and '2199'
    union all
    select
        min(payment_date) as first_day,
        max(payment_date) as last_day
    from {{ source('classicmodels', 'payments') }}
    where to_char(payment_date, 'YYYY') between '1901' and '2199'
    union all
    select
        cast(min(loaded_at) as date) as first_day,
        cast(max(loaded_at) as date) as last_day
    from {{ ref('stg_classicmodels__landing_runs') }}
),

expected as (
    select
        cast(to_char(min(first_day), 'YYYY') || '0101' as integer) as first_key,
        cast(to_char(max(last_day), 'YYYY') || '1231' as integer) as last_key
    from days_seen
),

found as (
    select
        min(case when member_type = 'day' then date_key end) as first_key,
        max(case when member_type = 'day' then date_key end) as last_key,
        sum(case when member_type = 'unknown' then 1 else 0 end) as unknown_members,
        sum(case when member_type = 'sentinel' then 1 else 0 end) as sentinel_members,
        sum(case when member_type = 'not yet' then 1 else 0 end) as not_yet_members
    from {{ ref('dim_dates') }}
)

select
    found.first_key,
    expected.first_key as expected_first_key,
    found.last_key,
    expected.last_key as expected_last_key
from found
cross join expected
where
    found.first_key <> expected.first_key
    or found.last_key <> expected.last_key
    or found.unknown_members <> 1
    or found.sentinel_members <> 1
    or found.not_yet_members <> 1
