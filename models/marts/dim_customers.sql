with versions as (
    select * from {{ ref('int_customers__versioned') }}
),

contacts as (
    select * from {{ ref('stg_classicmodels__customer_contacts') }}
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

-- Type 1: today's, of all versions; of a customer that is gone what the last version had.
latest_contacts as (
    select
        versions.customer_number,
        case
            when contacts.customer_number is null then versions.contact_first_name
            else contacts.contact_first_name
        end as contact_first_name,
        case
            when contacts.customer_number is null then versions.contact_last_name
            else contacts.contact_last_name
        end as contact_last_name,
        case when contacts.customer_number is null then versions.phone else contacts.phone end as phone
    from versions
    left join contacts on versions.customer_number = contacts.customer_number
    where versions.binds_to = cast({{ end_of_time() }} as date)
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
        cast({{ version_key('versions.customer_number', 'versions.valid_from') }} as varchar(32)) as customer_key,
        versions.customer_number,
        versions.sales_rep_employee_number,
        cast(
            {{ surrogate_key(['versions.country', 'versions.state', 'versions.city', 'versions.postal_code']) }} as varchar(32)
        ) as location_key,
        versions.customer_name,
        latest_contacts.contact_first_name,
        latest_contacts.contact_last_name,
        latest_contacts.phone,
        versions.address_line1,
        versions.address_line2,
        versions.city,
        versions.state,
        versions.postal_code,
        versions.country,
        cast(versions.credit_limit as numeric(10, 2)) as credit_limit,
        coalesce(versions.credit_limit > 0, false) as has_credit_limit,
        false as is_inferred,
        versions.is_current,
        cast(versions.version_number as integer) as version_number,
        versions.valid_from,
        versions.valid_to,
        versions.known_since,
        versions.binds_from,
        versions.binds_to
    from versions
    left join latest_contacts on versions.customer_number = latest_contacts.customer_number
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
