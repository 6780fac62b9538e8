{{ config(group='data_platform', meta={'dimension': 'timeliness'}) }}
-- The versions that are current say what the source says: no change has been missed, and nobody who was deleted is current. Every other
-- version says what the snapshot kept. What is cleaned on the way (blanks, Unknown for what is missing) is said here once more, apart from
-- the models.
{%- set dimensions = {
    'dim_customers': ['customers', {
        'customer_number': 'customer_number', 'sales_rep_employee_number': 'sales_rep_employee_number',
        'customer_name': "coalesce(trim(customer_name), 'Unknown')", 'contact_first_name': 'trim(contact_first_name)',
        'contact_last_name': 'trim(contact_last_name)', 'phone': 'trim(phone)', 'address_line1': 'trim(address_line1)',
        'address_line2': 'trim(address_line2)', 'city': "coalesce(trim(city), 'Unknown')", 'state': 'trim(state)',
        'postal_code': 'trim(postal_code)', 'country': "coalesce(trim(country), 'Unknown')",
        'credit_limit': 'cast(credit_limit as numeric(10, 2))',
    }],
    'dim_employees': ['employees', {
        'employee_number': 'employee_number', 'reports_to_employee_number': 'reports_to', 'office_code': 'office_code',
        'first_name': 'trim(first_name)', 'last_name': 'trim(last_name)', 'job_title': "coalesce(trim(job_title), 'Unknown')",
        'email': 'trim(email)', 'extension': 'trim(extension)',
    }],
    'dim_offices': ['offices', {
        'office_code': 'office_code', 'city': "coalesce(trim(city), 'Unknown')", 'state': 'trim(state)',
        'postal_code': 'trim(postal_code)', 'country': "coalesce(trim(country), 'Unknown')",
        'territory': "coalesce(trim(territory), 'Unknown')", 'phone': 'trim(phone)', 'address_line1': 'trim(address_line1)',
        'address_line2': 'trim(address_line2)',
    }],
    'dim_products': ['products', {
        'product_code': 'product_code', 'product_name': "coalesce(trim(product_name), 'Unknown')",
        'product_line': "coalesce(trim(product_line), 'Unknown')", 'product_scale': "coalesce(trim(product_scale), 'Unknown')",
        'product_vendor': "coalesce(trim(product_vendor), 'Unknown')", 'product_description': 'product_description',
        'buy_price': 'cast(buy_price as numeric(10, 2))', 'list_price': 'cast(msrp as numeric(10, 2))',
    }],
} %}

with both_sides as (
    {%- for dimension, (table_name, columns) in dimensions.items() %}
    {%- set names, expressions = columns.keys() | list, columns.values() | list %}
    select
        '{{ dimension }}' as dimension,
        cast({{ names[0] }} as varchar(64)) as natural_key,
        {{ surrogate_key(names[1:]) }} as row_hash
    from {{ ref(dimension) }}
    where is_current and not is_inferred
    union all
    select
        '{{ dimension }}' as dimension,
        cast({{ expressions[0] }} as varchar(64)) as natural_key,
        {{ surrogate_key(expressions[1:]) }} as row_hash
    from {{ source('classicmodels', table_name) }}
    union all
    select
        '{{ dimension }}, version of ' || cast(known_since as varchar(40)) as dimension,
        cast({{ names[0] }} as varchar(64)) as natural_key,
        {{ surrogate_key(names[1:]) }} as row_hash
    from {{ ref('int_' ~ table_name ~ '__versioned') }}
    union all
    select
        '{{ dimension }}, version of ' || cast(dbt_valid_from as varchar(40)) as dimension,
        cast({{ expressions[0] }} as varchar(64)) as natural_key,
        {{ surrogate_key(expressions[1:]) }} as row_hash
    from {{ ref('snap_' ~ table_name) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    dimension,
    natural_key,
    row_hash
from both_sides
group by dimension, natural_key, row_hash
having count(*) <> 2
