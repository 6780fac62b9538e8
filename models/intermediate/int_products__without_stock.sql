with products as (
    select * from {{ ref('stg_classicmodels__products') }}
)

select
    product_code,
    product_name,
    product_line,
    product_scale,
    product_vendor,
    product_description,
    buy_price,
    list_price,
    _loaded_at
from products
