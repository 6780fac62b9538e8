with source as (
    select * from {{ source('classicmodels', 'orders') }}
),

renamed as (
    select
        -- keys
        order_number,
        customer_number,

        -- attributes
        trim(status) as order_status,
        comments as order_comments,

        -- dates
        order_date,
        required_date,
        shipped_date,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
