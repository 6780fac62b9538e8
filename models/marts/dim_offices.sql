with versions as (
    select * from {{ ref('int_offices__versioned') }}
),

employees as (
    select * from {{ ref('int_employees__versioned') }}
),

-- Offices are shown as they are now; one that was closed stays as it was last seen, because past sales point to it.
latest as (
    select * from versions
    where binds_to = cast({{ end_of_time() }} as date)
),

-- Offices that employees mention before they arrive.
inferred as (
    select distinct employees.office_code
    from employees
    left join latest on employees.office_code = latest.office_code
    where latest.office_code is null and employees.office_code is not null
),

final as (
    select
        cast({{ surrogate_key(['office_code']) }} as varchar(32)) as office_key,
        office_code,
        cast({{ surrogate_key(['country', 'state', 'city', 'postal_code']) }} as varchar(32)) as location_key,
        city,
        state,
        postal_code,
        country,
        territory,
        phone,
        address_line1,
        address_line2,
        false as is_inferred,
        is_current,
        known_since
    from latest
    union all
    select
        cast({{ surrogate_key(['office_code']) }} as varchar(32)) as office_key,
        office_code,
        cast({{ unknown_key() }} as varchar(32)) as location_key,
        'Unknown' as city,
        cast(null as varchar(255)) as state,
        cast(null as varchar(255)) as postal_code,
        'Unknown' as country,
        'Unknown' as territory,
        cast(null as varchar(255)) as phone,
        cast(null as varchar(255)) as address_line1,
        cast(null as varchar(255)) as address_line2,
        true as is_inferred,
        true as is_current,
        cast(null as timestamp) as known_since
    from inferred
    union all
    select
        cast({{ unknown_key() }} as varchar(32)) as office_key,
        cast(null as varchar(255)) as office_code,
        cast({{ unknown_key() }} as varchar(32)) as location_key,
        'Unknown' as city,
        cast(null as varchar(255)) as state,
        cast(null as varchar(255)) as postal_code,
        'Unknown' as country,
        'Unknown' as territory,
        cast(null as varchar(255)) as phone,
        cast(null as varchar(255)) as address_line1,
        cast(null as varchar(255)) as address_line2,
        false as is_inferred,
        false as is_current,
        cast(null as timestamp) as known_since
)

select * from final
