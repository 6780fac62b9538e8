with source as (
    select * from {{ source('classicmodels', 'customers') }}
),

renamed as (
    select
        -- keys
        customer_number,

        -- attributes
        trim(contact_first_name) as contact_first_name,
        trim(contact_last_name) as contact_last_name,
        trim(phone) as phone
    from source
)

select * from renamed
