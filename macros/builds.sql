{#-
    What incremental models and tests of large tables go by: the landing that the last complete build was of, in <prefix>quality.builds.
    A build is complete when everything that is stored was built, and tested when it is complete and every test of the data passed.
    After a build of a part, one that failed, or a landing published during one, the next build takes the same changes in again: whole
    orders are replaced, so it may.
    Where the files of models, snapshots or seeds are others than those of that build, incremental tables are filled anew. A changed
    macro or variable needs --full-refresh.
-#}

{#- Builds of the work set (macros/publish.sql) go by themselves. -#}
{% macro builds_relation() -%}
    {{ return(quality_relation('next_builds' if work_set() else 'builds')) }}
{%- endmacro %}

{#-
    The landing as a value, not a subquery, so that the planner knows how few rows changed later; none where everything is to be built,
    as where raw was made anew and is of an earlier one.
-#}
{% macro last_complete_landing(condition='is_complete') -%}
    {%- if execute and load_relation(builds_relation()) -%}
        {%- set last = run_query(
            "select cast(loaded_at as varchar(40)), code, loaded_at <= (select cast(max(landing_runs.loaded_at) at time zone 'UTC' as timestamp) from "
            ~ source('classicmodels', '_landing_runs') ~ " as landing_runs) from " ~ builds_relation()
            ~ " where " ~ condition ~ " order by built_at desc limit 1"
        ) -%}
        {{ return(last[0][0] if last and last[0][1] == code_of_the_project() and last[0][2] else none) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#-
    On-run-start, the last: the landing that this run starts from. On Redshift a hook's rows are lost without a commit, once dbt has
    looked for a table.
-#}
{% macro record_build() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'snapshot') and quality_is_recorded() -%}
        {%- if not work_set() and run_query("select 1 from " ~ quality_relation('publications') ~ " limit 1").rows -%}
            {{ log('This build writes the public marts directly; `make night` publishes what passed.', info=True) }}
        {%- endif -%}
        insert into {{ builds_relation() }}
        select
            '{{ invocation_id }}',
            {{ run_time() }},
            cast(max(landing_runs.loaded_at) at time zone 'UTC' as timestamp),
            '{{ code_of_the_project() }}',
            {{ not untested_since() }},
            false,
            false,
            false
        from {{ source('classicmodels', '_landing_runs') }} as landing_runs
        having count(*) > 0;
        commit
    {%- endif -%}
{%- endmacro %}

{#- On-run-end. -#}
{% macro record_completion(results) -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'snapshot') and quality_is_recorded() -%}
        {%- set done, missing = [], [] -%}
        {%- for result in results if result.status in ('success', 'pass', 'warn') -%}
            {%- do done.append(result.node.unique_id) -%}
        {%- endfor -%}
        {%- for node in graph.nodes.values() if node.unique_id not in done -%}
            {%- do missing.append(node.resource_type) -%}
        {%- endfor -%}
        update {{ builds_relation() }}
        set
            has_snapshots = {{ 'snapshot' not in missing }},
            is_complete = {{ not ('snapshot' in missing or 'seed' in missing or 'model' in missing) }},
            is_tested = {{ not ('snapshot' in missing or 'seed' in missing or 'model' in missing or 'test' in missing) }}
        where invocation_id = '{{ invocation_id }}'
    {%- endif -%}
{%- endmacro %}

{% macro code_of_the_project() -%}
    {%- set files = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'snapshot', 'seed') -%}
        {%- do files.append(node.checksum.checksum) -%}
    {%- endfor -%}
    {{ return(local_md5(files | sort | join)) }}
{%- endmacro %}

{#-
    Tests of large tables look at what changed since the last tested build: a singular test by is_changed(), a generic one by
    config.meta.only_changed. They look at everything with `dbt test`, with --full-refresh, and when no tested build of the last
    7 days had them do so: then there is no landing to go by.
-#}
{% macro untested_since() -%}
    {%- set landing = last_complete_landing('is_tested') if execute and flags.WHICH == 'build' and not flags.FULL_REFRESH -%}
    {%- if landing -%}
        {%- set whole = run_query(
            "select 1 from " ~ builds_relation() ~ " where is_tested and is_whole and built_at > " ~ run_time() ~ " - interval '7 days' limit 1"
        ) -%}
        {{ return(landing if whole else none) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{% macro is_changed(column) -%}
    {{ is_of_a_changed_order(column, ref('int_orders__bound')) }}
{%- endmacro %}

{#- dbt puts this between a generic test and its model. A generic test names no other model, so it finds the orders by their table. -#}
{% macro get_where_subquery(relation) -%}
    {%- if execute and (config.get('meta') or {}).get('only_changed') -%}
        {{ return("(select * from " ~ relation ~ " where " ~ is_of_a_changed_order('order_number', stored_orders()) ~ ") as dbt_subquery") }}
    {%- endif -%}
    {{ return(default__get_where_subquery(relation)) }}
{%- endmacro %}

{#- The table of int_orders__bound, where dbt allows no ref(). -#}
{% macro stored_orders() -%}
    {{ return(graph.nodes['model.' ~ project_name ~ '.int_orders__bound'].relation_name) }}
{%- endmacro %}

{% macro is_of_a_changed_order(column, orders) -%}
    {%- set landing = untested_since() -%}
    {{ is_of_an_order_changed_since(landing, column, orders) if landing else 'true' }}
{%- endmacro %}

{#- Every row of the order, also one that was left behind. -#}
{% macro is_of_an_order_changed_since(landing, column, orders) -%}
    {{ column }} in (
        select changed.order_number from {{ orders }} as changed
        where changed._loaded_at > cast('{{ landing }}' as timestamp)
    )
{%- endmacro %}
