{#- `staging`, `intermediate`, `marts`… as configured; a developer who sets DBT_SCHEMA_PREFIX=ana gets `ana_staging`, … -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set prefix = env_var('DBT_SCHEMA_PREFIX', '') | trim -%}
    {%- set schema = target.schema if custom_schema_name is none else custom_schema_name | trim -%}
    {{- prefix ~ '_' ~ schema if prefix else schema -}}
{%- endmacro %}
