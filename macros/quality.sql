{#-
    After every build and test: one row per data test that ran, in <prefix>quality.test_results. A build that fails
    records its failures; tests of empty tables (--empty), unit tests and the review's builds say nothing about the data.
    The dimension of a test is its own (config.meta.dimension), else that of its kind (vars.quality_dimensions).
-#}
{% macro record_quality(results) -%}
    {%- set found = [] -%}
    {%- if execute and flags.WHICH in ('build', 'test') and quality_is_recorded() -%}
        {%- for result in results if result.node.resource_type == 'test' and result.status != 'skipped' -%}
            {%- do found.append(result) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if found -%}
        insert into {{ quality_relation('test_results') }}
            (invocation_id, started_at, dimension, test_name, model_name, status, rows_failing)
        values
        {% for result in found -%}
            (
                '{{ invocation_id }}',
                {{ run_time() }},
                '{{ quality_dimension(result.node) }}',
                '{{ result.node.name | replace("'", "''") }}',
                '{{ (result.node.attached_node or '').split('.')[-1] }}',
                '{{ result.status }}',
                {{ result.failures if result.failures is not none else 'null' }}
            ){{ ',' if not loop.last }}
        {% endfor %}
    {%- endif -%}
{%- endmacro %}

{% macro quality_is_recorded() -%}
    {{ return(not flags.EMPTY and env_var('DBT_RECORD_QUALITY', 'true') == 'true') }}
{%- endmacro %}

{% macro quality_relation(name) -%}
    {{ return(api.Relation.create(database=target.database, schema=generate_schema_name('quality', none), identifier=name)) }}
{%- endmacro %}

{#- The time of this run, UTC. -#}
{% macro run_time() -%}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp)
{%- endmacro %}

{#- On-run-start. -#}
{% macro prepare_quality() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'snapshot', 'test') and quality_is_recorded() -%}
        {%- do adapter.create_schema(quality_relation('test_results').without_identifier()) -%}
        {%- do run_query(quality_tables()) -%}
    {%- endif -%}
{%- endmacro %}

{% macro quality_tables() -%}
    create table if not exists {{ quality_relation('test_results') }} (
        invocation_id varchar(64) not null,
        started_at timestamp not null,
        dimension varchar(32) not null,
        test_name varchar(512) not null,
        model_name varchar(256) not null,
        status varchar(32) not null,
        rows_failing bigint
    );
    {%- for name in ['builds', 'next_builds'] %}
    create table if not exists {{ quality_relation(name) }} (
        invocation_id varchar(64) not null,
        built_at timestamp not null,
        loaded_at timestamp not null,
        code varchar(32) not null,
        is_whole boolean not null,
        has_snapshots boolean not null,
        is_complete boolean not null,
        is_tested boolean not null
    );
    {%- endfor %}
    create table if not exists {{ quality_relation('publications') }} (
        invocation_id varchar(64) not null,
        published_at timestamp not null,
        loaded_at timestamp not null,
        code varchar(32) not null,
        is_whole boolean not null
    );
    create table if not exists {{ quality_relation('profiles') }} (
        table_name varchar(256) not null,
        column_name varchar(256) not null,
        landed_at timestamp not null,
        row_count bigint not null,
        missing_count bigint not null,
        distinct_count bigint,
        minimum varchar(40),
        maximum varchar(40),
        total numeric(38, 4),
        is_accepted boolean not null
    )
{%- endmacro %}

{% macro quality_dimension(test) -%}
    {%- set kind = (test.test_metadata or {}).name -%}
    {{- test.config.meta.get('dimension') or var('quality_dimensions').get(kind, 'unclassified') -}}
{%- endmacro %}
