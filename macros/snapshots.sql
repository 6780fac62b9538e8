{#-
    Snapshots hold the raw rows; staging cleans them, so that another way of cleaning shows in every version and makes none.

    A dimension gains an attribute like this: name the column in the snapshot's SELECT and in its check_cols, then in staging and the
    dimension. The next build gives the column to every version, with the value that the source has now: the first known one.
-#}

{#-
    Pre-hook: what is new in a snapshot's code is no change of the source, so it makes no version. New columns are filled in every
    version. Rows that have not landed again since the last snapshot take what the code now makes of them.
-#}
{% macro adopt_code() -%}
    {%- set stored = load_relation(this) if execute -%}
    {%- if stored -%}
        {%- set known = adapter.get_columns_in_relation(stored) | map(attribute='name') | list -%}
        {%- if 'landed_at' in known -%}
            {%- set new = model.config.check_cols | reject('in', known) | list -%}
            {%- if new -%}
                {%- do add_columns_of_query(stored, "select " ~ new | join(', ') ~ " from (" ~ model.compiled_code ~ ") as rows_now") -%}
                {{ set_from_source(new, 'true') }};
            {%- endif -%}
            {%- set times = ['max(dbt_valid_from)'] -%}
            {%- for builds in [quality_relation('builds'), quality_relation('next_builds')] if load_relation(builds) -%}
                {%- do times.append("(select max(loaded_at) from " ~ builds ~ " where has_snapshots)") -%}
            {%- endfor -%}
            {%- set seen = run_query(
                "select cast(greatest(" ~ times | join(', ') ~ ") as varchar(40)) from " ~ this
            )[0][0] or '1900-01-01' -%}
            {{ set_from_source(model.config.check_cols, "dbt_valid_to is null and source_rows.landed_at <= cast('" ~ seen ~ "' as timestamp)") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- Writes only rows that differ. -#}
{% macro set_from_source(columns, condition) -%}
    {%- set key, table = model.config.unique_key, this.identifier %}
    update {{ this }}
    set
        {% for column in columns %}{{ column }} = source_rows.{{ column }}{{ ',' if not loop.last }} {% endfor %}
    from ({{ model.compiled_code }}) as source_rows
    where
        {{ table }}.{{ key }} = source_rows.{{ key }}
        and {{ condition }}
        and (
            {% for column in columns -%}
            {{ 'or ' if not loop.first }}coalesce({{ table }}.{{ column }} <> source_rows.{{ column }}, {{ table }}.{{ column }} is not null or source_rows.{{ column }} is not null)
            {% endfor -%}
        )
{%- endmacro %}

{% macro add_columns_of_query(relation, query) -%}
    {%- set typed = make_temp_relation(relation, '__adopted') -%}
    {%- do run_query(create_table_as(True, typed, query ~ ' where false')) -%}
    {%- do create_columns(relation, adapter.get_columns_in_relation(typed)) -%}
    {%- do run_query('drop table ' ~ typed) -%}
{%- endmacro %}

{#- Snapshots that hold cleaned rows, as earlier versions of the project made them. -#}
{% macro snapshots_of_before() -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'snapshot' -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if relation and 'landed_at' not in adapter.get_columns_in_relation(relation) | map(attribute='name') -%}
            {%- do found.append(node) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- On-run-start. -#}
{% macro refuse_snapshots_of_before() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'snapshot') -%}
        {%- set found = snapshots_of_before() | map(attribute='name') | sort -%}
        {%- if found -%}
            {{ exceptions.raise_compiler_error(
                found | join(', ') ~ ' hold cleaned rows, as an earlier version of this project made them. Run `make migrate` once'
                ~ ' (dbt run-operation migrate_snapshots): all history is kept. Nothing was touched.'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#-
    dbt run-operation migrate_snapshots: snapshots of before become snapshots of raw rows, with every version they have. An open
    version gets the raw text where cleaning makes the stored one of it; closed versions keep the cleaned text. One transaction each.
-#}
{% macro migrate_snapshots() -%}
    {%- set names_now = {'reports_to_employee_number': 'reports_to', 'list_price': 'msrp'} -%}
    {%- for node in snapshots_of_before() -%}
        {%- set stored = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- set migrated = stored.incorporate(path={'identifier': stored.identifier ~ '__migrated'}) -%}
        {%- set key = node.config.unique_key -%}
        {%- set source_node = graph.sources[node.depends_on.nodes[0]] -%}
        {%- set raw = adapter.get_relation(source_node.database, source_node.schema, source_node.identifier) -%}
        {%- set texts, numbers = [], [] -%}
        {%- for column in adapter.get_columns_in_relation(raw) -%}
            {%- do (texts if column.is_string() else numbers if column.is_numeric() else []).append(column.name) -%}
        {%- endfor -%}
        {%- do run_query('begin') -%}
        {%- set statement -%}
            create table {{ migrated }} as
            select
                stored.{{ key }},
                {%- for name in adapter.get_columns_in_relation(stored) | map(attribute='name')
                    if name not in [key, '_loaded_at'] and not name.startswith('dbt_') %}
                {%- set column, before = names_now.get(name, name), 'stored.' ~ name %}
                {%- if column in texts %}
                case when stored.dbt_valid_to is null and trim(raw_rows.{{ column }}) = {{ before }} then raw_rows.{{ column }} else {{ before }} end as {{ column }},
                {%- elif column in numbers %}
                cast({{ before }} as numeric(38, 10)) as {{ column }},
                {%- else %}
                {{ before }} as {{ column }},
                {%- endif %}
                {%- endfor %}
                stored._loaded_at as landed_at,
                stored.dbt_scd_id,
                stored.dbt_updated_at,
                stored.dbt_valid_from,
                stored.dbt_valid_to
            from {{ stored }} as stored
            left join {{ raw }} as raw_rows on stored.{{ key }} = raw_rows.{{ key }}
        {%- endset -%}
        {%- do run_query(statement) -%}
        {%- set counts = run_query("select (select count(*) from " ~ stored ~ "), (select count(*) from " ~ migrated ~ ")")[0] -%}
        {%- if counts[0] != counts[1] -%}
            {{ exceptions.raise_compiler_error(node.name ~ ': ' ~ raw ~ ' has a ' ~ key ~ ' twice. Nothing was changed.') }}
        {%- endif -%}
        {%- do run_query('drop table ' ~ stored ~ ' cascade') -%}
        {%- do run_query('alter table ' ~ migrated ~ ' rename to ' ~ stored.identifier) -%}
        {%- do run_query('commit') -%}
        {{ log(node.name ~ ': ' ~ counts[0] ~ ' versions kept', info=True) }}
    {%- endfor -%}
    {{ log('The snapshots hold raw rows. `dbt build` makes the views again that stood on them.', info=True) }}
{%- endmacro %}
