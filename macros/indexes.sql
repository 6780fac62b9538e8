{#- Redshift has no indexes and dbt-redshift no way to make one: what a model says of them is for Postgres; there dist and sort count. -#}
{% macro redshift__create_indexes(relation) -%}
{%- endmacro %}
