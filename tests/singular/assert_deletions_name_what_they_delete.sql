{{ config(meta={'dimension': 'timeliness'}) }}
-- Facts hear of a row that went by the key it had. Where a table has lost its key in the source, deletions name nothing, and whatever
-- went would stay in the facts: give the table its key back, land with --accept-drift, and build with --full-refresh.
with landed_keys as (
    select
        table_name,
        column_name
    from {{ source('classicmodels', '_landing_columns') }}
    where key_position > 0
),

needed as (
    {%- for table_name, column_name in [
        ('orders', 'order_number'), ('orderdetails', 'order_number'), ('payments', 'customer_number'), ('payments', 'check_number')
    ] %}
    select
        '{{ table_name }}' as table_name,
        '{{ column_name }}' as column_name
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    needed.table_name,
    needed.column_name
from needed
left join landed_keys on needed.table_name = landed_keys.table_name and needed.column_name = landed_keys.column_name
where landed_keys.column_name is null
