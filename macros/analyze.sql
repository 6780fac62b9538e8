{#-
    Post-hook of every table that others read: the next model is planned by what is in the table now. On Postgres only where the
    table is new: of one that changes little by little autovacuum keeps the statistics. dbt takes a macro of Postgres' for Redshift
    too where Redshift has none of its own.
-#}
{% macro analyze_table() -%}
    {{ adapter.dispatch('analyze_table', 'classicmodels')() }}
{%- endmacro %}

{% macro redshift__analyze_table() -%}
    analyze {{ this }}
{%- endmacro %}

{% macro postgres__analyze_table() -%}
    {%- set known = "select 1 from pg_stats where schemaname = '" ~ this.schema ~ "' and tablename = '" ~ this.identifier ~ "' limit 1" -%}
    {%- if execute and not run_query(known) | length -%}
        analyze {{ this }}
    {%- endif -%}
{%- endmacro %}
