with stock_versions as (
    select * from {{ ref('snap_product_stock') }}
),

landings_of_products as (
    select * from {{ ref('stg_classicmodels__landing_tables') }}
    where table_name = 'products'
),

products as (
    select * from {{ ref('dim_products') }}
),

-- The last landing of products on a day stands for the day.
landing_days as (
    select
        cast(loaded_at as date) as landing_date,
        max(loaded_at) as loaded_at
    from landings_of_products
    group by cast(loaded_at as date)
),

final as (
    select
        -- keys
        cast(coalesce(products.product_key, {{ unknown_key() }}) as varchar(32)) as product_key,
        stock_versions.product_code,
        {{ date_key('landing_days.landing_date') }} as date_key,

        -- measures
        cast(stock_versions.quantity_in_stock as integer) as quantity_in_stock,

        -- lineage
        landing_days.loaded_at as _loaded_at
    from landing_days
    inner join stock_versions
        on
            landing_days.loaded_at >= stock_versions.dbt_valid_from
            and landing_days.loaded_at < coalesce(stock_versions.dbt_valid_to, {{ end_of_time() }})
    left join products
        on
            stock_versions.product_code = products.product_code
            and landing_days.landing_date >= products.binds_from
            and landing_days.landing_date < products.binds_to
)

select * from final
