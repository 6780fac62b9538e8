with source as (
    select * from {{ ref('snap_offices') }}
),

renamed as (
    select
        -- keys
        office_code,

        -- attributes
        trim(phone) as phone,
        trim(address_line1) as address_line1,
        trim(address_line2) as address_line2,
        coalesce(trim(city), 'Unknown') as city,
        trim(state) as state,
        trim(postal_code) as postal_code,
        coalesce(trim(country), 'Unknown') as country,
        coalesce(trim(territory), 'Unknown') as territory,

        -- history
        dbt_valid_from,
        dbt_valid_to
    from source
)

select * from renamed
