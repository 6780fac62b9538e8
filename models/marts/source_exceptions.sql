{%- set rules_that_stop = var('rules_that_stop') -%}
with exceptions as (
    select * from {{ ref('stg_classicmodels__exceptions') }}
),

final as (
    select
        rule_name,
        table_name,
        column_name,
        row_key,
        outcome,
        rule_name in (
            {%- for rule_name in rules_that_stop %}
            '{{ rule_name }}',
            {%- endfor %}
            ''
        ) as is_stopping,
        landed_at
    from exceptions
)

select
    cast(rule_name as varchar(64)) as rule_name,
    cast(table_name as varchar(64)) as table_name,
    cast(column_name as varchar(64)) as column_name,
    cast(row_key as varchar(4000)) as row_key,
    cast(outcome as varchar(64)) as outcome,
    is_stopping,
    landed_at
from final
