with source as (
    select * from {{ source('classicmodels', 'employees') }}
),

renamed as (
    select
        -- keys
        employee_number,
        office_code,
        reports_to as reports_to_employee_number,

        -- attributes
        trim(first_name) as first_name,
        trim(last_name) as last_name,
        trim(job_title) as job_title,
        trim(email) as email,
        trim(extension) as extension,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
