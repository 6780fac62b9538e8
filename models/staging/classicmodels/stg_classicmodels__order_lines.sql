with source as (
    select * from {{ source('classicmodels', 'orderdetails') }}
),

renamed as (
    select
        -- keys
        order_number,
        order_line_number,
        product_code,

        -- measures
        quantity_ordered,
        price_each as unit_price,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
