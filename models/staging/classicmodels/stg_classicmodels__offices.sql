with source as (
    select * from {{ source('classicmodels', 'offices') }}
),

renamed as (
    select
        -- keys
        office_code,

        -- attributes
        trim(phone) as phone,
        trim(address_line1) as address_line1,
        trim(address_line2) as address_line2,
        trim(city) as city,
        trim(state) as state,
        trim(postal_code) as postal_code,
        trim(country) as country,
        trim(territory) as territory,

        -- lineage
        cast(_loaded_at at time zone 'UTC' as timestamp) as _loaded_at
    from source
)

select * from renamed
