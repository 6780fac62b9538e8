{% snapshot snap_customers %}
select
    customer_number,
    customer_name,
    contact_first_name,
    contact_last_name,
    phone,
    address_line1,
    address_line2,
    city,
    state,
    postal_code,
    country,
    sales_rep_employee_number,
    cast(credit_limit as numeric(38, 10)) as credit_limit,
    cast(_loaded_at at time zone 'UTC' as timestamp) as landed_at
from {{ source('classicmodels', 'customers') }}
{% endsnapshot %}
