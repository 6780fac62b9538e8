with versions as (
    select * from {{ ref('stg_classicmodels__offices') }}
)

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
    {{ version_columns('office_code') }}
from versions
