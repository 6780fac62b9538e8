{{ config(meta={'dimension': 'uniqueness'}) }}
-- One row per day without gaps: as many days as lie between the first and the last.
with days as (
    select
        min(date_day) as first_day,
        max(date_day) as last_day,
        count(*) as day_count,
        count(distinct date_day) as distinct_day_count
    from {{ ref('dim_dates') }}
    where member_type = 'day'
)

select * from days
where
    day_count <> distinct_day_count
    or day_count <> last_day - first_day + 1
