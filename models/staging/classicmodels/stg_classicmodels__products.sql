with source as (
    select * from {{ ref('snap_products') }}
),

renamed as (
    select
        -- keys
        product_code,

        -- attributes
        coalesce(trim(product_name), 'Unknown') as product_name,
        coalesce(trim(product_line), 'Unknown') as product_line,
        coalesce(trim(product_scale), 'Unknown') as product_scale,
        coalesce(trim(product_vendor), 'Unknown') as product_vendor,
        product_description,

        -- measures
        cast(buy_price as numeric(10, 2)) as buy_price,
        cast(msrp as numeric(10, 2)) as list_price,

        -- history
        dbt_valid_from,
        dbt_valid_to
    from source
)

select * from renamed
