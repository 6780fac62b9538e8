with products as (
    select * from {{ ref('stg_classicmodels__products') }}
)

select
    product_code,
    quantity_in_stock,
    _loaded_at
from products
