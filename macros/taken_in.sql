{#-
    Which landing each stored table was built from, in <prefix>quality.taken_in: the one that all its inputs were built from. Where they
    are of different landings, or raw got another one while they were read, it is the beginning of time, and so it is for what is made of
    such a table: the next build makes them whole. What a table lacks of a landing may be a row that is gone, of which nothing tells later.
    And which code made it: an incremental table that other code made is emptied and filled anew, so no changed model needs --full-refresh.
    Code is the files of models, snapshots and seeds; a changed macro or variable still needs it.
    Rows are only added while models are built: Redshift stops concurrent transactions that read and write the same table.
-#}

{#- On-run-start: the landing that this run starts from; of older builds each table's last is kept. -#}
{% macro record_landing() -%}
    {%- set taken_in = quality_relation('taken_in') -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'snapshot') and quality_is_recorded() -%}
        delete from {{ taken_in }}
        where built_at < (select max(later.built_at) from {{ taken_in }} as later where later.model_name = taken_in.model_name);
        insert into {{ taken_in }}
        select
            'the landing',
            {{ run_time() }},
            cast(max(landing_runs.loaded_at) at time zone 'UTC' as timestamp),
            null
        from {{ source('classicmodels', '_landing_runs') }} as landing_runs
        having count(*) > 0
    {%- endif -%}
{%- endmacro %}

{#- Post-hook of what is stored, after its commit: a build that fails before takes the same in again. -#}
{% macro record_what_is_taken_in() -%}
    {%- set inputs = stored_inputs(model) if execute and model.config.materialized != 'view' else [] -%}
    {%- if inputs and quality_is_recorded() -%}
        begin;
        insert into {{ quality_relation('taken_in') }}
        values ('{{ model.name }}', {{ run_time() }}, {{ landing_taken_in(inputs) }}, '{{ code_of(model) }}');
        commit
    {%- endif -%}
{%- endmacro %}

{#- The one landing that these tables were built from, or the beginning of time. Raw is "the landing": as the run found it, and as it is now. -#}
{% macro landing_taken_in(names) -%}
    {%- set taken_in, reads_raw = quality_relation('taken_in'), 'the landing' in names -%}
    {%- set landing -%}
        select cast(max(loaded_at) as varchar(40))
        from (
            select
                loaded_at,
                row_number() over (partition by model_name order by built_at desc) as builds_ago
            from {{ taken_in }}
            where model_name in ('{{ names | join("', '") }}')
            {%- if reads_raw %}
            union all
            select
                cast(max(landing_runs.loaded_at) at time zone 'UTC' as timestamp) as loaded_at,
                1 as builds_ago
            from {{ source('classicmodels', '_landing_runs') }} as landing_runs
            {%- endif %}
        ) as builds
        where builds_ago = 1
        having count(*) = {{ names | length + (1 if reads_raw else 0) }} and min(loaded_at) = max(loaded_at)
    {%- endset -%}
    {%- set found = run_query(landing) if load_relation(taken_in) else [] -%}
    {{ return("cast('" ~ found[0][0] ~ "' as timestamp)" if found | length else beginning_of_time()) }}
{%- endmacro %}

{#- Hash of the files that make a node: its own, those of the views it reads, and the hashes of the stored tables it reads. -#}
{% macro code_of(node) -%}
    {%- set names = stored_inputs(node) -%}
    {%- set stored = run_query(
        "select model_name, code from " ~ quality_relation('taken_in') ~ " as builds where model_name in ('" ~ names | join("', '")
        ~ "') and code is not null and built_at = (select max(latest.built_at) from " ~ quality_relation('taken_in')
        ~ " as latest where latest.model_name = builds.model_name) order by 1, 2"
    ) -%}
    {%- set parts = files_of(node) -%}
    {%- for row in stored -%}
        {%- do parts.append(row[0] ~ ' ' ~ row[1]) -%}
    {%- endfor -%}
    {{ return(local_md5(parts | unique | join(' '))) }}
{%- endmacro %}

{% macro files_of(node) -%}
    {%- set found = [node.checksum.checksum] -%}
    {%- for id in node.depends_on.get('nodes', []) -%}
        {%- set parent = graph.nodes.get(id) -%}
        {%- if parent and parent.config.materialized in ('view', 'seed') -%}
            {%- do found.extend(files_of(parent)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Whether the table that a model is about to add to was made by other code; false where nothing is recorded. -#}
{% macro is_made_by_other_code() -%}
    {%- if execute and model.resource_type == 'model' and is_incremental() and load_relation(quality_relation('taken_in')) -%}
        {%- set recorded = run_query(
            "select code from " ~ quality_relation('taken_in') ~ " where model_name = '" ~ model.name ~ "' order by built_at desc limit 1"
        ) -%}
        {{ return(recorded | length > 0 and recorded[0][0] != code_of(model)) }}
    {%- endif -%}
    {{ return(false) }}
{%- endmacro %}

{#- Names of the stored tables that a node reads, through views, and "the landing" for raw. What is made of seeds alone has none. -#}
{% macro stored_inputs(node) -%}
    {%- set found = [] -%}
    {%- for id in node.depends_on.nodes -%}
        {%- set parent = graph.nodes.get(id) -%}
        {%- set names = stored_inputs(parent) if parent else ['the landing'] -%}
        {%- if names and parent and parent.config.materialized != 'view' -%}
            {%- set names = [parent.name] -%}
        {%- endif -%}
        {%- for name in names if name not in found -%}
            {%- do found.append(name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
