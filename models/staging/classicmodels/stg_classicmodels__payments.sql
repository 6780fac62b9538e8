with source as (
    select * from {{ source('classicmodels', 'payments') }}
),

renamed as (
    select
        -- keys
        cast(customer_number as integer) as customer_number,
        check_number,

        -- measures
        cast(coalesce(amount, 0) as numeric(10, 2)) as payment_amount,

        -- dates
        cast(payment_date as date) as payment_date,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
