with source as (
    select * from {{ source('classicmodels', '_landing_deletions') }}
),

renamed as (
    select
        -- keys
        table_name,
        case
            when table_name in ('orders', 'orderdetails')
                then cast({{ json_text('row_key', 'order_number') }} as integer)
        end as order_number,
        case
            when table_name = 'payments'
                then cast({{ json_text('row_key', 'customer_number') }} as integer)
        end as customer_number,
        case
            when table_name = 'payments'
                then {{ json_text('row_key', 'check_number') }}
        end as check_number,

        -- lineage
        cast(deleted_at at time zone 'UTC' as timestamp) as deleted_at
    from source
)

select * from renamed
