{#- On-run-start: flags that show a snapshot only part of the source, or none of it, would close the versions of all the rest. -#}
{% macro refuse_parts_of_the_source() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'snapshot') -%}
        {%- set given = ['--empty'] if flags.EMPTY else ['--sample'] if invocation_args_dict.get('sample') else [] -%}
        {%- if given -%}
            {{ exceptions.raise_compiler_error(
                'dbt ' ~ given[0] ~ ' is refused: tables and history would be replaced by parts of them. To try a change, build under a'
                ~ ' DBT_SCHEMA_PREFIX of your own. Nothing was touched.'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- `dbt clone` copies tables: neither warehouse has clones, and dbt's views in their place would be in the way of the next build.
    dbt leaves the commit to the statement. -#}
{% macro default__can_clone_table() -%}
    {{ return(true) }}
{%- endmacro %}

{% macro default__create_or_replace_clone(this_relation, defer_relation) -%}
    create table {{ this_relation }} as select * from {{ defer_relation }};
    commit
{%- endmacro %}
