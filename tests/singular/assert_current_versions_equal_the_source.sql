-- The versions that are current say what staging says: no change has been missed, and nobody who was deleted is current.
{%- set dimensions = {
    'dim_customers': ['stg_classicmodels__customers', [
        'customer_number', 'sales_rep_employee_number', 'customer_name', 'contact_first_name', 'contact_last_name', 'phone',
        'address_line1', 'address_line2', 'city', 'state', 'postal_code', 'country', 'credit_limit',
    ]],
    'dim_employees': ['stg_classicmodels__employees', [
        'employee_number', 'reports_to_employee_number', 'office_code', 'first_name', 'last_name', 'job_title', 'email', 'extension',
    ]],
    'dim_offices': ['stg_classicmodels__offices', [
        'office_code', 'city', 'state', 'postal_code', 'country', 'territory', 'phone', 'address_line1', 'address_line2',
    ]],
    'dim_products': ['stg_classicmodels__products', [
        'product_code', 'product_name', 'product_line', 'product_scale', 'product_vendor', 'product_description',
        'buy_price', 'list_price',
    ]],
} %}

with both_sides as (
    {%- for dimension, (staging, columns) in dimensions.items() %}
    select
        '{{ dimension }}' as dimension,
        cast({{ columns[0] }} as varchar(64)) as natural_key,
        {{ surrogate_key(columns[1:]) }} as row_hash
    from {{ ref(dimension) }}
    where is_current and not is_inferred
    union all
    select
        '{{ dimension }}' as dimension,
        cast({{ columns[0] }} as varchar(64)) as natural_key,
        {{ surrogate_key(columns[1:]) }} as row_hash
    from {{ ref(staging) }}
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
