with versions as (
    select * from {{ ref('int_employees__versioned') }}
),

contacts as (
    select * from {{ ref('stg_classicmodels__employee_contacts') }}
),

customers as (
    select * from {{ ref('int_customers__versioned') }}
),

mentioned as (
    select sales_rep_employee_number as employee_number from customers
    union
    select reports_to_employee_number as employee_number from versions
),

-- Employees that customers or colleagues mention before they arrive. Their key is the one their first version will have.
inferred as (
    select
        {{ version_key('mentioned.employee_number', beginning_of_time()) }} as employee_key,
        mentioned.employee_number
    from mentioned
    left join versions on mentioned.employee_number = versions.employee_number
    where versions.employee_number is null and mentioned.employee_number is not null
),

-- Type 1: today's, of all versions; of an employee who is gone what the last version had.
latest_contacts as (
    select
        versions.employee_number,
        case when contacts.employee_number is null then versions.email else contacts.email end as email,
        case when contacts.employee_number is null then versions.extension else contacts.extension end as extension
    from versions
    left join contacts on versions.employee_number = contacts.employee_number
    where versions.binds_to = cast({{ end_of_time() }} as date)
),

placeholders as (
    select
        employee_key,
        employee_number,
        true as is_inferred
    from inferred
    union all
    select
        {{ unknown_key() }} as employee_key,
        cast(null as integer) as employee_number,
        false as is_inferred
),

final as (
    select
        cast({{ version_key('versions.employee_number', 'versions.valid_from') }} as varchar(32)) as employee_key,
        versions.employee_number,
        versions.reports_to_employee_number,
        cast(
            case
                when versions.office_code is null then {{ unknown_key() }}
                else {{ surrogate_key(['versions.office_code']) }}
            end as varchar(32)
        ) as office_key,
        versions.office_code,
        versions.first_name,
        versions.last_name,
        coalesce(
            versions.first_name || ' ' || versions.last_name, versions.first_name, versions.last_name, 'Unknown'
        ) as full_name,
        versions.job_title,
        latest_contacts.email,
        latest_contacts.extension,
        false as is_inferred,
        versions.is_current,
        cast(versions.version_number as integer) as version_number,
        versions.valid_from,
        versions.valid_to,
        versions.known_since,
        versions.binds_from,
        versions.binds_to
    from versions
    left join latest_contacts on versions.employee_number = latest_contacts.employee_number
    union all
    select
        cast(employee_key as varchar(32)) as employee_key,
        employee_number,
        cast(null as integer) as reports_to_employee_number,
        cast({{ unknown_key() }} as varchar(32)) as office_key,
        cast(null as varchar(255)) as office_code,
        cast(null as varchar(255)) as first_name,
        cast(null as varchar(255)) as last_name,
        'Unknown' as full_name,
        'Unknown' as job_title,
        cast(null as varchar(255)) as email,
        cast(null as varchar(255)) as extension,
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
