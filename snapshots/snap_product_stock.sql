{% snapshot snap_product_stock %}
select
    product_code,
    cast(quantity_in_stock as integer) as quantity_in_stock,
    cast(_loaded_at at time zone 'UTC' as timestamp) as landed_at
from {{ source('classicmodels', 'products') }}
{% endsnapshot %}
