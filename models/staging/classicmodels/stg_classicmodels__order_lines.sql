with source as (
    select * from {{ source('classicmodels', 'orderdetails') }}
),

renamed as (
    select
        -- keys
        cast(order_number as integer) as order_number,
        cast(order_line_number as integer) as order_line_number,
        product_code,

        -- measures
        cast(coalesce(quantity_ordered, 0) as integer) as quantity_ordered,
        cast(coalesce(price_each, 0) as numeric(10, 2)) as unit_price,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
