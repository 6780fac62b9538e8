{{ config(meta={'dimension': 'timeliness'}) }}
-- The stock of the day on which products landed last is what raw has, product by product.
with stock_levels as (
    select * from {{ ref('fct_stock_levels') }}
),

both_sides as (
    select
        product_code,
        quantity_in_stock
    from {{ source('classicmodels', 'products') }}
    union all
    select
        product_code,
        quantity_in_stock
    from stock_levels
    where date_key in (
        select {{ date_key('max(landings.loaded_at)') }}
        from {{ ref('stg_classicmodels__landing_tables') }} as landings
        where landings.table_name = 'products'
    )
)

select product_code
from both_sides
group by product_code
having count(*) <> 2 or min(quantity_in_stock) <> max(quantity_in_stock)
