with source as (
    select * from {{ source('classicmodels', '_landing_runs') }}
),

renamed as (
    select
        -- keys
        run_id,

        -- attributes
        source_database,

        -- dates
        cast(started_at at time zone 'UTC' as timestamp) as started_at,
        cast(finished_at at time zone 'UTC' as timestamp) as finished_at,
        cast(loaded_at at time zone 'UTC' as timestamp) as loaded_at
    from source
)

select * from renamed
