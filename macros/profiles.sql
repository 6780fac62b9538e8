{#-
    Profiles of each landing, in <prefix>quality.profiles: a row per raw table and column with rows, missing values (NULL or blank),
    distinct values, minimum, maximum and total. Each is compared with the last accepted one. One without a jump is accepted; a jump warns, or
    stops the build before anything is built, as vars.profile_jumps says, until `make accept TABLE=...`. Of personal columns there is
    neither minimum nor maximum nor total.
-#}
{% macro profile_landing() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'snapshot') and quality_is_recorded() -%}
        {%- do profile_what_landed() -%}
        {%- set stopping = [] -%}
        {%- set jumping = run_query(profile_jumps()).rows -%}
        {%- for table_name, column_name, jump, before, now in jumping -%}
            {%- set said -%}
                profile of the landing: {{ table_name }}.{{ column_name }} {{ jump }}, {{ before }} -> {{ now }}. If that is right, `make accept TABLE={{ table_name }}`; else mend MySQL and land again.
            {%- endset -%}
            {%- if var('profile_jumps')[jump] == 'stop' -%}
                {%- do stopping.append(said) -%}
            {%- else -%}
                {%- do exceptions.warn(said) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if stopping -%}
            {{ exceptions.raise_compiler_error(stopping | join(' ') ~ ' Nothing was built.') }}
        {%- endif -%}
        update {{ quality_relation('profiles') }} set is_accepted = true
        where not is_accepted and table_name not in ('{{ jumping | map(attribute=0) | unique | join("', '") }}')
    {%- endif -%}
{%- endmacro %}

{#- dbt run-operation accept_profile --args '{table_name: customers}': the last landing of a table is as it should be. -#}
{% macro accept_profile(table_name) -%}
    {%- do run_query('begin') -%}
    {%- do profile_what_landed() -%}
    {%- if not run_query("select 1 from " ~ quality_relation('profiles') ~ " where table_name = '" ~ table_name ~ "'").rows -%}
        {%- do exceptions.raise_compiler_error("There is no profile of " ~ table_name ~ ": name a table as it is in raw.") -%}
    {%- endif -%}
    {%- do run_query("update " ~ quality_relation('profiles') ~ " set is_accepted = true where table_name = '" ~ table_name ~ "'") -%}
    {%- do run_query('commit') -%}
    {{ log('The profile of ' ~ table_name ~ ' is accepted.', info=True) }}
{%- endmacro %}

{#- Profiles the tables that changed since they were profiled last, and forgets all but the accepted one and the last. -#}
{% macro profile_what_landed() -%}
    {%- set profiles = quality_relation('profiles') -%}
    {%- set changed -%}
        select
            landed.table_name,
            cast(landed.landed_at as varchar(40))
        from (
            select
                table_name,
                max(cast(loaded_at at time zone 'UTC' as timestamp)) as landed_at
            from {{ source('classicmodels', '_landing_tables') }}
            where inserted + updated + deleted > 0
            group by table_name
        ) as landed
        left join (
            select
                table_name,
                max(landed_at) as landed_at
            from {{ profiles }}
            group by table_name
        ) as profiled on landed.table_name = profiled.table_name
        where profiled.landed_at is null or profiled.landed_at < landed.landed_at
    {%- endset -%}
    {%- set due = dict(run_query(changed).rows | map('list')) -%}
    {%- for node in graph.sources.values() if node.identifier in due -%}
        {%- set raw = adapter.get_relation(node.database, node.schema, node.identifier) -%}
        {%- set measures = [] -%}
        {%- for column in adapter.get_columns_in_relation(raw) if column.name != '_loaded_at' -%}
            {%- do measures.append((column.name, profile_of(raw, column, node.columns.get(column.name, {}).get('config', {}).get('meta', {})))) -%}
        {%- endfor -%}
        {%- set found = run_query(
            'select count(*), ' ~ measures | map(attribute=1) | map('join', ', ') | join(', ') ~ ' from ' ~ raw
        ).rows[0] -%}
        {%- set rows = [] -%}
        {%- for name, _ in measures -%}
            {%- set at = 1 + 5 * loop.index0 -%}
            {%- set texts = [] -%}
            {%- for value in [found[at + 2], found[at + 3]] -%}
                {%- do texts.append("'" ~ value ~ "'" if value is not none else 'null') -%}
            {%- endfor -%}
            {%- do rows.append(
                "('" ~ node.identifier ~ "', '" ~ name ~ "', cast('" ~ due[node.identifier] ~ "' as timestamp), " ~ found[0] ~ ", " ~ found[at]
                ~ ", " ~ (found[at + 1] if found[at + 1] is not none else 'null') ~ ", " ~ texts | join(', ') ~ ", "
                ~ (found[at + 4] if found[at + 4] is not none else 'null') ~ ", false)"
            ) -%}
        {%- endfor -%}
        {%- do run_query(
            "delete from " ~ profiles ~ " where table_name = '" ~ node.identifier ~ "' and (not is_accepted or landed_at < (select"
            ~ " max(kept.landed_at) from " ~ profiles ~ " as kept where kept.is_accepted and kept.table_name = '" ~ node.identifier ~ "'));"
            ~ " insert into " ~ profiles ~ " values " ~ rows | join(', ')
        ) -%}
    {%- endfor -%}
{%- endmacro %}

{#- Missing, distinct, minimum, maximum, total. Distinct by GROUP BY: Postgres sorts all rows for a count(distinct ...). -#}
{% macro profile_of(raw, column, meta) -%}
    {%- set name = adapter.quote(column.name) -%}
    {%- set is_number = column.is_number() -%}
    {%- set is_day = column.dtype.startswith('date') or column.dtype.startswith('timestamp') -%}
    {%- set is_shown = (is_number or is_day) and not meta.get('pii') and not meta.get('subject') -%}
    {{ return([
        "count(*) - count(" ~ ("nullif(trim(" ~ name ~ "), '')" if column.is_string() else name) ~ ")",
        "(select count(*) from (select 1 as one from " ~ raw ~ " group by " ~ name ~ ") as found)"
            if is_number or is_day or column.is_string() else "cast(null as bigint)",
        "cast(min(" ~ name ~ ") as varchar(40))" if is_shown else "cast(null as varchar(40))",
        "cast(max(" ~ name ~ ") as varchar(40))" if is_shown else "cast(null as varchar(40))",
        "sum(cast(" ~ name ~ " as numeric(38, 4)))" if is_shown and is_number else "cast(null as numeric(38, 4))",
    ]) }}
{%- endmacro %}

{#- A row per jump from the last accepted profile to the last one. -#}
{% macro profile_jumps() -%}
    {%- set profiles = quality_relation('profiles') -%}
    {%- set missing = "cast(round(100.0 * {0}.missing_count / nullif({0}.row_count, 0)) as varchar(40)) || ' % missing'" -%}
    {%- set mean = "{0}.total / nullif({0}.row_count, 0)" -%}
    {%- set jumps = {
        'is emptied': ["now.missing_count = now.row_count and now.row_count > 0 and was.missing_count < was.row_count", missing],
        'lacks many values': [
            "1.0 * now.missing_count / nullif(now.row_count, 0) > 1.0 * was.missing_count / was.row_count + 0.1 and now.missing_count < now.row_count",
            missing,
        ],
        'has one value': ["now.distinct_count = 1 and was.distinct_count >= 5 and now.missing_count < now.row_count",
            "cast({0}.distinct_count as varchar(40)) || ' values'"],
        'lost half its rows': [
            "now.row_count * 2 < was.row_count and now.column_name = (select min(first_one.column_name) from " ~ profiles
            ~ " as first_one where first_one.table_name = now.table_name)",
            "cast({0}.row_count as varchar(40)) || ' rows'",
        ],
        'is of another size': [
            "was.row_count >= 20 and now.row_count >= 20 and was.total <> 0 and now.distinct_count < now.row_count and ("
            ~ "abs(" ~ mean.format('now') ~ ") > 5 * abs(" ~ mean.format('was') ~ ") or 5 * abs(" ~ mean.format('now') ~ ") < abs("
            ~ mean.format('was') ~ "))",
            "'mean ' || cast(round(" ~ mean ~ ", 2) as varchar(40))",
        ],
    } -%}
    {%- for jump, (condition, shown) in jumps.items() %}
    select
        now.table_name,
        now.column_name,
        '{{ jump }}' as jump,
        {{ shown.format('was') }} as before,
        {{ shown.format('now') }} as now
    from {{ profiles }} as now
    inner join {{ profiles }} as was on now.table_name = was.table_name and now.column_name = was.column_name
    where
        not now.is_accepted
        and was.is_accepted
        and was.landed_at = (
            select max(kept.landed_at) from {{ profiles }} as kept where kept.is_accepted and kept.table_name = was.table_name
        )
        and was.row_count > 0
        and {{ condition }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
    order by 1, 2, 3
{%- endmacro %}
