{#-
    Write, audit, publish. With DBT_SET=next dbt builds and tests all models in a work set of its own, `next_marts` beside `marts`.
    Nobody else may enter it; raw tables, snapshots and seeds are the same. `dbt run-operation publish` then applies what differs to
    the public marts, in one transaction of plain inserts and deletes: each statement of a reader sees all marts of one tested build,
    or all of the one before. Public tables stay, and so do the views, grants and policies on them. `dbt build` without DBT_SET writes
    the public marts directly.
-#}

{% macro work_set() -%}
    {%- set name = env_var('DBT_SET', '') -%}
    {%- if name not in ('', 'next') -%}
        {{ exceptions.raise_compiler_error('DBT_SET=' ~ name ~ ': there is `next`, the work set, or none.') }}
    {%- endif -%}
    {{ return(name) }}
{%- endmacro %}

{#- dbt run-operation publish: refuses, and changes nothing, unless the last build of the work set was whole and green. -#}
{% macro publish() -%}
    {%- if work_set() == '' -%}
        {{ exceptions.raise_compiler_error('Nothing is published without DBT_SET=next: `dbt build` wrote the public marts itself.') }}
    {%- endif -%}
    {%- do adapter.create_schema(api.Relation.create(database=target.database, schema=public_schema('marts'))) -%}
    {%- if not load_relation(quality_relation('publications')) -%}
        {%- do run_query(quality_tables()) -%}
    {%- endif -%}
    {%- do run_query('commit') -%}
    {%- do run_query('begin isolation level repeatable read') -%}
    {%- set build = published_build() -%}
    {%- set since = published_landing(build) -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.schema == 'marts' -%}
        {%- do publish_mart(node, since) -%}
    {%- endfor -%}
    {%- if roles_are_on() -%}
        {%- do run_query(postgres__prepare_access(public_schema('marts'))) -%}
    {%- endif -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.schema == 'marts' -%}
        {%- set mart = public_mart(node) -%}
        {%- do run_query(alter_relation_comment(mart, node.description)) -%}
        {%- do run_query(alter_column_comment(mart, node.columns)) -%}
        {%- do apply_grants(mart, node.config.grants, should_revoke=true) -%}
        {%- if roles_are_on() -%}
            {%- do run_query(postgres__protect_mart(mart, node)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do run_query(
        "insert into " ~ quality_relation('publications') ~ " values ('" ~ build[0] ~ "', " ~ run_time() ~ ", cast('" ~ build[1]
        ~ "' as timestamp), '" ~ build[2] ~ "', " ~ (since is none) ~ ")"
    ) -%}
    {%- do run_query('commit') -%}
    {{ log('Published: the landing of ' ~ build[1] ~ ' UTC is in ' ~ public_schema('marts') ~ '.', info=True) }}
{%- endmacro %}

{#- The last build of the work set: its id, landing and code. -#}
{% macro published_build() -%}
    {%- set builds = builds_relation() -%}
    {%- set last = run_query(
        "select invocation_id, cast(loaded_at as varchar(40)), code, is_complete, is_tested, loaded_at = (select cast(max(landing_runs.loaded_at)"
        ~ " at time zone 'UTC' as timestamp) from " ~ source('classicmodels', '_landing_runs') ~ " as landing_runs) from " ~ builds
        ~ " order by built_at desc limit 1"
    ).rows if load_relation(builds) -%}
    {%- set why = 'the work set was never built' if not last
        else 'the last build of the work set is not whole' if not last[0][3]
        else 'a test of the last build of the work set failed' if not last[0][4]
        else 'it was built by other code' if last[0][2] != code_of_the_project()
        else 'another landing landed meanwhile' if not last[0][5] -%}
    {%- if why -%}
        {{ exceptions.raise_compiler_error('Nothing was published: ' ~ why ~ '. Build again (`DBT_SET=next dbt build`), then publish.') }}
    {%- endif -%}
    {{ return(last[0]) }}
{%- endmacro %}

{#-
    The landing of the publication before, where order tables may go by what changed since; none where everything is compared: after
    other code, after a build that wrote the public marts directly, and once in 7 days.
-#}
{% macro published_landing(build) -%}
    {%- set publications = quality_relation('publications') -%}
    {%- set last = run_query(
        "select cast(loaded_at as varchar(40)), code, published_at > coalesce((select max(built_at) from " ~ quality_relation('builds')
        ~ "), published_at - interval '1 day'), (select max(published_at) from " ~ publications ~ " where is_whole) > "
        ~ run_time() ~ " - interval '7 days' from " ~ publications ~ " order by published_at desc limit 1"
    ).rows -%}
    {{ return(last[0][0] if last and last[0][1] == build[2] and last[0][2] and last[0][3] else none) }}
{%- endmacro %}

{% macro public_mart(node) -%}
    {{ return(api.Relation.create(database=node.database, schema=public_schema('marts'), identifier=node.alias, type='table')) }}
{%- endmacro %}

{% macro publish_mart(node, since) -%}
    {%- set built = load_relation(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) -%}
    {%- set mart = public_mart(node) -%}
    {%- set is_new = make_public_mart(built, mart) -%}
    {%- set columns = adapter.get_columns_in_relation(built) | map(attribute='quoted') | join(', ') -%}
    {%- set changed = is_of_an_order_changed_since(since, 'order_number', stored_orders()) -%}
    {%- set key = key_of_mart(node) -%}
    {%- set by_order = since and node.config.materialized == 'incremental' and not is_new -%}
    {%- if by_order -%}
        {%- do run_query("delete from " ~ mart ~ " where " ~ changed) -%}
        {%- do run_query("insert into " ~ mart ~ " (" ~ columns ~ ") select " ~ columns ~ " from " ~ built ~ " where " ~ changed) -%}
    {%- endif -%}
    {%- if not by_order or not is_as_large(built, mart) -%}
        {%- if is_new or not key -%}
            {%- do run_query("delete from " ~ mart) -%}
            {%- do run_query("insert into " ~ mart ~ " (" ~ columns ~ ") select " ~ columns ~ " from " ~ built) -%}
        {%- else -%}
            {%- set rows, of_rows, of_built = node.alias ~ '__differ', [], [] -%}
            {%- for column in key -%}
                {%- do of_rows.append(rows ~ '.' ~ column ~ ' = ' ~ mart ~ '.' ~ column) -%}
                {%- do of_built.append('built.' ~ column ~ ' = ' ~ mart ~ '.' ~ column) -%}
            {%- endfor -%}
            {%- do run_query(
                "create temporary table " ~ rows ~ " as select " ~ columns ~ " from " ~ built ~ " except select " ~ columns ~ " from " ~ mart
            ) -%}
            {%- do run_query("delete from " ~ mart ~ " using " ~ rows ~ " where " ~ of_rows | join(' and ')) -%}
            {%- do run_query(
                "delete from " ~ mart ~ " where not exists (select 1 from " ~ built ~ " as built where " ~ of_built | join(' and ') ~ ")"
            ) -%}
            {%- do run_query("insert into " ~ mart ~ " (" ~ columns ~ ") select " ~ columns ~ " from " ~ rows) -%}
            {%- do run_query("drop table " ~ rows) -%}
        {%- endif -%}
        {%- if not is_as_large(built, mart) -%}
            {{ exceptions.raise_compiler_error(node.name ~ ' could not be published: its key ' ~ key ~ ' is there twice, or empty.') }}
        {%- endif -%}
    {%- endif -%}
    {%- if is_new -%}
        {%- do run_query('analyze ' ~ mart) -%}
    {%- endif -%}
{%- endmacro %}

{% macro is_as_large(built, mart) -%}
    {{ return(run_query("select (select count(*) from " ~ built ~ ") = (select count(*) from " ~ mart ~ ")")[0][0]) }}
{%- endmacro %}

{#- The column that a test of the model says is unique, else columns that are so together. -#}
{% macro key_of_mart(node) -%}
    {%- set keys = {} -%}
    {%- for test in graph.nodes.values() if test.resource_type == 'test' and test.attached_node == node.unique_id and test.test_metadata -%}
        {%- do keys.update({test.test_metadata.name: test.test_metadata.kwargs.get('columns') or [test.column_name]}) -%}
    {%- endfor -%}
    {{ return(keys.get('unique') or keys.get('unique_combination')) }}
{%- endmacro %}

{#- The public table as the work set has it, made anew where a column is gone or changed. Whether the table or a column is new. -#}
{% macro make_public_mart(built, mart) -%}
    {%- set there = load_relation(mart) -%}
    {%- set wanted, known = {}, {} -%}
    {%- for column in adapter.get_columns_in_relation(built) -%}
        {%- do wanted.update({column.quoted: column.data_type}) -%}
    {%- endfor -%}
    {%- for column in adapter.get_columns_in_relation(mart) if there -%}
        {%- do known.update({column.quoted: column.data_type}) -%}
    {%- endfor -%}
    {%- set gone = known.items() | reject('in', wanted.items()) | list -%}
    {%- if there and not gone and (wanted == known or target.type == 'postgres') -%}
        {%- for name, type in wanted.items() if name not in known -%}
            {%- do run_query("alter table " ~ mart ~ " add column " ~ name ~ " " ~ type) -%}
        {%- endfor -%}
        {{ return(wanted != known) }}
    {%- endif -%}
    {%- if there -%}
        {%- set views = views_on(mart) if target.type == 'postgres' else [] -%}
        {%- if views -%}
            {{ exceptions.raise_compiler_error(
                'Nothing was published: ' ~ mart.schema ~ '.' ~ mart.identifier ~ ' loses or changes a column, and ' ~ views | join(', ')
                ~ ' stands on it. Drop that view, publish, and make it again.'
            ) }}
        {%- endif -%}
        {%- do run_query("drop view if exists " ~ mart.schema ~ '_masked.' ~ mart.identifier) -%}
        {%- do run_query("drop table " ~ mart) -%}
    {%- endif -%}
    {%- do run_query(
        "create table " ~ mart ~ " (like " ~ built ~ (" including all" if target.type == 'postgres' else " including defaults") ~ ")"
    ) -%}
    {{ return(true) }}
{%- endmacro %}

{#- Views of others, as their owners would look for them. -#}
{% macro views_on(mart) -%}
    {{ return(run_query(
        "select distinct pg_rewrite.ev_class::regclass::text from pg_depend inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid"
        ~ " where pg_depend.refobjid = '" ~ mart ~ "'::regclass and pg_rewrite.ev_class <> coalesce(to_regclass('" ~ mart.schema
        ~ "_masked." ~ mart.identifier ~ "'), 0)"
    ).columns[0].values() | list) }}
{%- endmacro %}
