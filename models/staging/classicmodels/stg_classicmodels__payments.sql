with source as (
    select * from {{ source('classicmodels', 'payments') }}
),

renamed as (
    select
        -- keys
        customer_number,
        check_number,

        -- measures
        amount as payment_amount,

        -- dates
        payment_date,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
