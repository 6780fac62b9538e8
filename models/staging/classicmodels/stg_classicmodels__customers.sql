with source as (
    select * from {{ source('classicmodels', 'customers') }}
),

renamed as (
    select
        -- keys
        customer_number,
        sales_rep_employee_number,

        -- attributes
        trim(customer_name) as customer_name,
        trim(contact_first_name) as contact_first_name,
        trim(contact_last_name) as contact_last_name,
        trim(phone) as phone,
        trim(address_line1) as address_line1,
        trim(address_line2) as address_line2,
        trim(city) as city,
        trim(state) as state,
        trim(postal_code) as postal_code,
        trim(country) as country,

        -- measures
        cast(credit_limit as numeric(18, 2)) as credit_limit,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
