{#- Text of one key of a JSON object kept as text. The one expression Postgres and Redshift spell differently. -#}
{% macro json_text(column, key) -%}
    {{ return(adapter.dispatch('json_text', 'classicmodels')(column, key)) }}
{%- endmacro %}

{% macro default__json_text(column, key) -%}
    (cast({{ column }} as json) ->> '{{ key }}')
{%- endmacro %}

{% macro redshift__json_text(column, key) -%}
    json_extract_path_text({{ column }}, '{{ key }}')
{%- endmacro %}
