{% snapshot snap_products %}
select
    product_code,
    product_name,
    product_line,
    product_scale,
    product_vendor,
    product_description,
    cast(buy_price as numeric(38, 10)) as buy_price,
    cast(msrp as numeric(38, 10)) as msrp,
    cast(_loaded_at at time zone 'UTC' as timestamp) as landed_at
from {{ source('classicmodels', 'products') }}
{% endsnapshot %}
