{{ config(meta={'dimension': 'validity'}) }}
-- MySQL takes 'Norway  ' for 'Norway', a warehouse does not: what people group by has no blanks around it.
{%- set texts = {
    'dim_customers': ['customer_name', 'contact_first_name', 'contact_last_name', 'phone', 'address_line1', 'address_line2', 'city', 'state', 'postal_code', 'country'],
    'dim_employees': ['first_name', 'last_name', 'job_title', 'email', 'extension'],
    'dim_locations': ['country', 'state', 'city', 'postal_code'],
    'dim_offices': ['city', 'state', 'postal_code', 'country', 'territory', 'phone', 'address_line1', 'address_line2'],
    'dim_order_statuses': ['order_status'],
    'dim_products': ['product_name', 'product_line', 'current_product_line', 'product_scale', 'product_vendor'],
} %}
{%- for dimension, columns in texts.items() %}
select '{{ dimension }}' as dimension
from {{ ref(dimension) }}
where
    false
    {%- for column in columns %}
    or {{ column }} <> trim({{ column }})
    {%- endfor %}
{{ 'union all' if not loop.last }}
{%- endfor %}
