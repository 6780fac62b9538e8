with source as (
    select * from {{ source('classicmodels', '_landing_tables') }}
),

renamed as (
    select
        -- keys
        run_id,
        table_name,

        -- measures
        row_count,

        -- dates
        cast(loaded_at at time zone 'UTC' as timestamp) as loaded_at
    from source
)

select * from renamed
