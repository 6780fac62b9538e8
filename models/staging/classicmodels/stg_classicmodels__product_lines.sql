with source as (
    select * from {{ source('classicmodels', 'productlines') }}
),

renamed as (
    select
        -- keys
        trim(product_line) as product_line,

        -- attributes
        text_description as product_line_description,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
