with customers as (
    select * from {{ ref('int_customers__versioned') }}
),

offices as (
    select * from {{ ref('int_offices__versioned') }}
),

places as (
    select
        country,
        state,
        city,
        postal_code
    from customers
    union
    select
        country,
        state,
        city,
        postal_code
    from offices
),

final as (
    select
        cast({{ surrogate_key(['country', 'state', 'city', 'postal_code']) }} as varchar(32)) as location_key,
        country,
        state,
        city,
        postal_code
    from places
    union all
    select
        cast({{ unknown_key() }} as varchar(32)) as location_key,
        'Unknown' as country,
        cast(null as varchar(255)) as state,
        'Unknown' as city,
        cast(null as varchar(255)) as postal_code
)

select * from final
