{#-
    Tests of large tables look at what was written since they last passed. Incremental models leave the keys that they write in
    <prefix>quality.changed_keys, one row each, or one without a key when the whole table is made anew. A test looks at everything with
    `dbt test`, with --full-refresh, when it has never passed, and when it last passed on everything more than 7 days ago.

    A generic test says so by config.meta.changed_by: the column of whole numbers, the first of the model's unique_key, whose rows are
    written together. A singular one uses is_changed().
-#}

{#- Condition for the rows of one or several models, by names, that the test which is rendered has not seen yet. -#}
{% macro is_changed(column, model_names) -%}
    {{ untested_keys(column, model_names) or 'true' }}
{%- endmacro %}

{#- dbt puts this between a generic test and its model. -#}
{% macro get_where_subquery(relation) -%}
    {%- set column = (config.get('meta') or {}).get('changed_by') -%}
    {%- set condition = untested_keys(column, [relation.identifier]) if column -%}
    {%- if condition -%}
        {{ return("(select * from " ~ relation ~ " where " ~ condition ~ ") as dbt_subquery") }}
    {%- endif -%}
    {{ return(default__get_where_subquery(relation)) }}
{%- endmacro %}

{#- A condition, or none where everything is to be tested. -#}
{% macro untested_keys(column, model_names) -%}
    {%- set changed, results = quality_relation('changed_keys'), quality_relation('test_results') -%}
    {%- if execute and flags.WHICH == 'build' and not flags.FULL_REFRESH and load_relation(changed) and load_relation(results) -%}
        {%- set passed -%}
            select cast(max(started_at) as varchar(40)) from {{ results }} where test_name = '{{ model.name }}' and status = 'pass'
        {%- endset -%}
        {#- Written as a value, so that the planner knows how few keys came later. -#}
        {%- set is_written -%}
            model_name in ('{{ model_names | join("', '") }}') and built_at > cast('{{ run_query(passed)[0][0] or '1900-01-01' }}' as timestamp)
        {%- endset -%}
        {%- set seen_whole = run_query(
            passed ~ " and is_whole and started_at > " ~ run_time() ~ " - interval '7 days'"
            ~ " and not exists (select 1 from " ~ changed ~ " where changed_key is null and " ~ is_written ~ ")"
        )[0][0] -%}
        {%- if seen_whole -%}
            {{ return(column ~ " in (select changed_key from " ~ changed ~ " where " ~ is_written ~ ")") }}
        {%- endif -%}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#- Pre-hook of the incremental models: the table is made anew, or emptied because other code made it. -#}
{% macro record_new_table() -%}
    {%- set changed, is_emptied = quality_relation('changed_keys'), is_made_by_other_code() -%}
    {%- if execute and model.config.materialized == 'incremental' and (is_emptied or not is_incremental()) and load_relation(changed) -%}
        insert into {{ changed }} values ('{{ this.identifier }}', {{ run_time() }}, null);
        {%- if is_emptied %}
        delete from {{ this }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- dbt's own statements, after the keys that they write are recorded. -#}
{% macro get_incremental_delete_insert_sql(arg_dict) -%}
    {%- set changed, key = quality_relation('changed_keys'), model.config.unique_key -%}
    {%- set column = key if key is string else key[0] -%}
    {%- set found = arg_dict['dest_columns'] | selectattr('name', 'equalto', column) | list -%}
    {%- if load_relation(changed) and found and found[0].is_integer() -%}
        insert into {{ changed }}
        select distinct '{{ this.identifier }}', {{ run_time() }}, {{ column }} from {{ arg_dict['temp_relation'] }};
    {% endif -%}
    {{ adapter.dispatch('get_incremental_delete_insert_sql', 'dbt')(arg_dict) }}
{%- endmacro %}

{#- On-run-end: so that the next tests are planned by how few keys there are. -#}
{% macro analyze_changed_keys() -%}
    {%- if execute and flags.WHICH in ('build', 'run') and quality_is_recorded() -%}
        analyze {{ quality_relation('changed_keys') }}
    {%- endif -%}
{%- endmacro %}
