with source as (
    select * from {{ ref('snap_employees') }}
),

renamed as (
    select
        -- keys
        cast(employee_number as integer) as employee_number,
        office_code,
        cast(reports_to as integer) as reports_to_employee_number,

        -- attributes
        trim(first_name) as first_name,
        trim(last_name) as last_name,
        coalesce(trim(job_title), 'Unknown') as job_title,
        trim(email) as email,
        trim(extension) as extension,

        -- history
        dbt_valid_from,
        dbt_valid_to
    from source
)

select * from renamed
