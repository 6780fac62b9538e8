with source as (
    select * from {{ source('classicmodels', 'employees') }}
),

renamed as (
    select
        -- keys
        employee_number,

        -- attributes
        trim(email) as email,
        trim(extension) as extension
    from source
)

select * from renamed
