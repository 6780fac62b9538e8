with versions as (
    select * from {{ ref('stg_classicmodels__employees') }}
)

select
    employee_number,
    first_name,
    last_name,
    job_title,
    email,
    extension,
    office_code,
    reports_to_employee_number,
    {{ version_columns('employee_number') }}
from versions
