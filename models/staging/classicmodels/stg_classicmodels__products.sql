with source as (
    select * from {{ source('classicmodels', 'products') }}
),

renamed as (
    select
        -- keys
        product_code,

        -- attributes
        trim(product_name) as product_name,
        trim(product_line) as product_line,
        trim(product_scale) as product_scale,
        trim(product_vendor) as product_vendor,
        product_description,

        -- measures
        cast(quantity_in_stock as integer) as quantity_in_stock,
        buy_price,
        msrp as list_price,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
