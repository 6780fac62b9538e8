with snapshot_rows as (
    select * from {{ ref('snap_employees') }}
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
from snapshot_rows
