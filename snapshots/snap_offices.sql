{% snapshot snap_offices %}
select
    office_code,
    phone,
    address_line1,
    address_line2,
    city,
    state,
    postal_code,
    country,
    territory,
    cast(_loaded_at at time zone 'UTC' as timestamp) as landed_at
from {{ source('classicmodels', 'offices') }}
{% endsnapshot %}
