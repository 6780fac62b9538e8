-- Every fact points to the one version of its member that binds the fact's date. Red after a landing that was
-- published while dbt was building: build with --full-refresh then, and never land during a build.
{%- set bindings = [
    ('fct_order_lines', 'product_key', 'order_date_key', 'dim_products', 'product_key'),
    ('fct_orders', 'customer_key', 'order_date_key', 'dim_customers', 'customer_key'),
    ('fct_orders', 'sales_rep_employee_key', 'order_date_key', 'dim_employees', 'employee_key'),
    ('fct_payments', 'customer_key', 'payment_date_key', 'dim_customers', 'customer_key'),
    ('fct_stock_levels', 'product_key', 'date_key', 'dim_products', 'product_key'),
] %}
{%- for fact, fact_key, date_key_column, dimension, dimension_key in bindings %}
{{ 'with' if loop.first }} facts_{{ loop.index }} as (
    select
        {{ fact_key }} as member_key,
        {{ date_key_column }} as date_key
    from {{ ref(fact) }}
    {%- if fact == 'fct_order_lines' %}
    where {{ is_changed('order_number', [fact]) }}
    {%- endif %}
),

versions_{{ loop.index }} as (
    select
        {{ dimension_key }} as member_key,
        {{ date_key('binds_from') }} as first_date_key,
        {{ date_key('binds_to') }} as end_date_key
    from {{ ref(dimension) }}
){{ ',' if not loop.last }}
{% endfor %}
{%- for fact, fact_key, date_key_column, dimension, dimension_key in bindings %}
select
    '{{ fact }}' as fact,
    facts_{{ loop.index }}.member_key,
    facts_{{ loop.index }}.date_key
from facts_{{ loop.index }}
inner join versions_{{ loop.index }} on facts_{{ loop.index }}.member_key = versions_{{ loop.index }}.member_key
where
    facts_{{ loop.index }}.date_key > 0
    and (
        facts_{{ loop.index }}.date_key < versions_{{ loop.index }}.first_date_key
        or facts_{{ loop.index }}.date_key >= versions_{{ loop.index }}.end_date_key
    )
{{ 'union all' if not loop.last }}
{%- endfor %}
