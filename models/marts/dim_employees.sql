with versions as (
    select * from {{ ref('int_employees__versioned') }}
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
        {{ version_key('employee_number') }} as employee_key,
        employee_number,
        reports_to_employee_number,
        case when office_code is null then {{ unknown_key() }} else {{ surrogate_key(['office_code']) }} end as office_key,
        office_code,
        first_name,
        last_name,
        coalesce(first_name || ' ' || last_name, first_name, last_name, 'Unknown') as full_name,
        job_title,
        email,
        extension,
        false as is_inferred,
        is_current,
        version_number,
        valid_from,
        valid_to,
        known_since,
        binds_from,
        binds_to
    from versions
    union all
    select
        employee_key,
        employee_number,
        cast(null as integer) as reports_to_employee_number,
        {{ unknown_key() }} as office_key,
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

select
    cast(employee_key as varchar(32)) as employee_key,
    employee_number,
    reports_to_employee_number,
    cast(office_key as varchar(32)) as office_key,
    office_code,
    first_name,
    last_name,
    full_name,
    job_title,
    email,
    extension,
    is_inferred,
    is_current,
    cast(version_number as integer) as version_number,
    valid_from,
    valid_to,
    known_since,
    binds_from,
    binds_to
from final
