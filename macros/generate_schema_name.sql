{#-
    `staging`, `intermediate`, `marts`… as configured; a developer who sets DBT_SCHEMA_PREFIX=ana gets `ana_staging`, …
    The work set (macros/publish.sql) has `next_staging`, `next_intermediate` and `next_marts`, and all else in common with the public one.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set schema = public_schema(target.schema if custom_schema_name is none else custom_schema_name | trim) -%}
    {%- if work_set() and custom_schema_name in ('staging', 'intermediate', 'marts') -%}
        {%- set schema = public_schema(work_set() ~ '_' ~ custom_schema_name) -%}
    {%- endif -%}
    {{- schema -}}
{%- endmacro %}

{% macro public_schema(name) -%}
    {%- set prefix = env_var('DBT_SCHEMA_PREFIX', '') | trim -%}
    {{- return(prefix ~ '_' ~ name if prefix else name) -}}
{%- endmacro %}
