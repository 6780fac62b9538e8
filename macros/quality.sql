{#-
    After every build and test: one row per data test that ran, in <prefix>quality.test_results. A build that fails
    records its failures; tests of empty tables (--empty), unit tests and the review's builds say nothing about the data.
    The dimension of a test is its own (config.meta.dimension), else that of its kind (vars.quality_dimensions).
-#}
{% macro record_quality(results) -%}
    {%- set found = [] -%}
    {%- if execute and flags.WHICH in ('build', 'test') and not flags.EMPTY and env_var('DBT_RECORD_QUALITY', 'true') == 'true' -%}
        {%- for result in results if result.node.resource_type == 'test' and result.status != 'skipped' -%}
            {%- do found.append(result) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if found -%}
        {%- set schema = generate_schema_name('quality', none) -%}
        {%- set table = api.Relation.create(database=target.database, schema=schema, identifier='test_results') -%}
        {%- do adapter.create_schema(table.without_identifier()) -%}
        {%- do run_query(quality_table(table)) -%}
        insert into {{ table }} values
        {% for result in found -%}
            (
                '{{ invocation_id }}',
                cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp),
                '{{ quality_dimension(result.node) }}',
                '{{ result.node.name | replace("'", "''") }}',
                '{{ (result.node.attached_node or '').split('.')[-1] }}',
                '{{ result.status }}',
                {{ result.failures if result.failures is not none else 'null' }}
            ){{ ',' if not loop.last }}
        {% endfor %}
    {%- endif -%}
{%- endmacro %}

{% macro quality_table(table) -%}
    create table if not exists {{ table }} (
        invocation_id varchar(64) not null,
        started_at timestamp not null,
        dimension varchar(32) not null,
        test_name varchar(512) not null,
        model_name varchar(256) not null,
        status varchar(32) not null,
        rows_failing bigint
    )
{%- endmacro %}

{% macro quality_dimension(test) -%}
    {%- set kind = (test.test_metadata or {}).name -%}
    {{- test.config.meta.get('dimension') or var('quality_dimensions').get(kind, 'unclassified') -}}
{%- endmacro %}
