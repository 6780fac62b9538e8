with versions as (
    select * from {{ ref('int_customers__versioned') }}
),

orders as (
    select * from {{ ref('stg_classicmodels__orders') }}
),

payments as (
    select * from {{ ref('stg_classicmodels__payments') }}
),

mentioned as (
    select customer_number from orders
    union all
    select customer_number from payments
),

-- Customers that facts mention before they arrive. Their key is the one their first version will have.
inferred as (
    select distinct
        {{ version_key('mentioned.customer_number', beginning_of_time()) }} as customer_key,
        mentioned.customer_number
    from mentioned
    left join versions on mentioned.customer_number = versions.customer_number
    where versions.customer_number is null and mentioned.customer_number is not null
),

placeholders as (
    select
        customer_key,
        customer_number,
        true as is_inferred
    from inferred
    union all
    select
        {{ unknown_key() }} as customer_key,
        cast(null as integer) as customer_number,
        false as is_inferred
),

final as (
    select
        cast({{ version_key('customer_number') }} as varchar(32)) as customer_key,
        customer_number,
        sales_rep_employee_number,
        cast({{ surrogate_key(['country', 'state', 'city', 'postal_code']) }} as varchar(32)) as location_key,
        customer_name,
        contact_first_name,
        contact_last_name,
        phone,
        address_line1,
        address_line2,
        city,
        state,
        postal_code,
        country,
        cast(credit_limit as numeric(10, 2)) as credit_limit,
        coalesce(credit_limit > 0, false) as has_credit_limit,
        false as is_inferred,
        is_current,
        cast(version_number as integer) as version_number,
        valid_from,
        valid_to,
        known_since,
        binds_from,
        binds_to
    from versions
    union all
    select
        cast(customer_key as varchar(32)) as customer_key,
        customer_number,
        cast(null as integer) as sales_rep_employee_number,
        cast({{ unknown_key() }} as varchar(32)) as location_key,
        'Unknown' as customer_name,
        cast(null as varchar(255)) as contact_first_name,
        cast(null as varchar(255)) as contact_last_name,
        cast(null as varchar(255)) as phone,
        cast(null as varchar(255)) as address_line1,
        cast(null as varchar(255)) as address_line2,
        'Unknown' as city,
        cast(null as varchar(255)) as state,
        cast(null as varchar(255)) as postal_code,
        'Unknown' as country,
        cast(null as numeric(10, 2)) as credit_limit,
        false as has_credit_limit,
        is_inferred,
        is_inferred as is_current,
        0 as version_number,
        {{ beginning_of_time() }} as valid_from,
        {{ end_of_time() }} as valid_to,
        cast(null as timestamp) as known_since,
        cast({{ beginning_of_time() }} as date) as binds_from,
        cast({{ end_of_time() }} as date) as binds_to
    from placeholders
)

select * from final
