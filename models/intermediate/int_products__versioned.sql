with versions as (
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
    {{ version_columns('product_code') }}
from versions
