{% snapshot snap_employees %}
select
    employee_number,
    first_name,
    last_name,
    job_title,
    email,
    extension,
    office_code,
    reports_to,
    cast(_loaded_at at time zone 'UTC' as timestamp) as landed_at
from {{ source('classicmodels', 'employees') }}
{% endsnapshot %}
