{{ config(meta={'dimension': 'accuracy'}) }}
-- What makes no version of a member (meta history: type 1) is the same in all its versions.
{%- set dimensions = {
    ref('dim_customers'): ['customer_number', ['contact_first_name', 'contact_last_name', 'phone']],
    ref('dim_employees'): ['employee_number', ['email', 'extension']],
    ref('dim_products'): ['product_code', ['current_product_line']],
} %}
{%- for dimension, (natural_key, columns) in dimensions.items() %}
select cast({{ natural_key }} as varchar(64)) as natural_key
from {{ dimension }}
group by {{ natural_key }}
having count(distinct {{ surrogate_key(columns) }}) > 1
{{ 'union all' if not loop.last }}
{%- endfor %}
