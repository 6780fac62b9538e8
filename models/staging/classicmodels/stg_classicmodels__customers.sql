with source as (
    select * from {{ ref('snap_customers') }}
),

renamed as (
    select
        -- keys
        cast(customer_number as integer) as customer_number,
        cast(sales_rep_employee_number as integer) as sales_rep_employee_number,

        -- attributes
        coalesce(trim(customer_name), 'Unknown') as customer_name,
        trim(contact_first_name) as contact_first_name,
        trim(contact_last_name) as contact_last_name,
        trim(phone) as phone,
        trim(address_line1) as address_line1,
        trim(address_line2) as address_line2,
        coalesce(trim(city), 'Unknown') as city,
        trim(state) as state,
        trim(postal_code) as postal_code,
        coalesce(trim(country), 'Unknown') as country,

        -- measures
        cast(credit_limit as numeric(10, 2)) as credit_limit,

        -- history
        dbt_valid_from,
        dbt_valid_to
    from source
)

select * from renamed
