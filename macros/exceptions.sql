{#- On-run-end: a line per rule of the source that is broken, with the keys of its first rows. No value of a row is in it. -#}
{% macro report_exceptions(results) -%}
    {%- for result in results if execute and result.node.name == 'source_exceptions' and result.status == 'success' -%}
        {%- set broken -%}
            select
                rule_name,
                table_name,
                column_name,
                outcome,
                row_count,
                row_key
            from (
                select
                    rule_name,
                    table_name,
                    column_name,
                    outcome,
                    row_key,
                    count(*) over (partition by rule_name, table_name, column_name) as row_count,
                    row_number() over (partition by rule_name, table_name, column_name order by row_key) as place
                from {{ result.node.relation_name }}
            ) as ranked
            where place <= 3
            order by rule_name, table_name, column_name, row_key
        {%- endset -%}
        {%- for rule, rows in run_query(broken).rows | groupby(0) -%}
            {%- for (table_name, column_name), found in by_table_and_column(rows).items() -%}
                {%- do exceptions.warn(
                    'rule of the source ' ~ rule ~ ': ' ~ found[0][4] ~ ' rows of ' ~ table_name ~ ' (' ~ column_name ~ ': '
                    ~ found[0][3] ~ '), first ' ~ found | map(attribute=5) | join(', ')
                    ~ '. Mend them in MySQL; all are in ' ~ result.node.schema ~ '.source_exceptions.'
                ) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{% macro by_table_and_column(rows) -%}
    {%- set found = {} -%}
    {%- for row in rows -%}
        {%- do found.setdefault((row[1], row[2]), []).append(row) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
