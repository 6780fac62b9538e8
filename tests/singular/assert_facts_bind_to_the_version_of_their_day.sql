{{ config(meta={'dimension': 'accuracy'}) }}
-- Every fact points to the one version of its member that binds the fact's date. Red after a landing that was
-- published while dbt was building, or after `dbt run` without snapshots: the next build mends it.
{%- set bindings = [
    ('fct_order_lines', 'product_key', 'order_date_key', 'dim_products', 'product_key'),
    ('fct_orders', 'customer_key', 'order_date_key', 'dim_customers', 'customer_key'),
    ('fct_orders', 'sales_rep_employee_key', 'order_date_key', 'dim_employees', 'employee_key'),
    ('fct_payments', 'customer_key', 'payment_date_key', 'dim_customers', 'customer_key'),
    ('fct_stock_levels', 'product_key', 'date_key', 'dim_products', 'product_key'),
] %}
{%- for fact, fact_key, date_key_column, dimension, dimension_key in bindings %}
select
    '{{ fact }}' as fact,
    facts.{{ fact_key }} as member_key,
    dates.date_day
from {{ ref(fact) }} as facts
inner join {{ ref('dim_dates') }} as dates on facts.{{ date_key_column }} = dates.date_key
inner join {{ ref(dimension) }} as versions on facts.{{ fact_key }} = versions.{{ dimension_key }}
where
    (dates.date_day < versions.binds_from or dates.date_day >= versions.binds_to)
    {%- if fact == 'fct_order_lines' %}
    and {{ is_changed('facts.order_number') }}
    {%- endif %}
{{ 'union all' if not loop.last }}
{%- endfor %}
