with source as (
    select * from {{ source('classicmodels', 'orders') }}
),

renamed as (
    select
        -- keys
        cast(order_number as integer) as order_number,
        cast(customer_number as integer) as customer_number,

        -- attributes
        trim(status) as order_status,
        comments as order_comments,

        -- dates
        cast(order_date as date) as order_date,
        cast(required_date as date) as required_date,
        cast(shipped_date as date) as shipped_date,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
