{#-
    Pre-hook of the incremental models: stops where a landing would be taken in before its history is. Raw has the landing at once, a new
    version only when its snapshot has run and its dimension is built. A fact that binds in between takes the old version and never
    looks again, because the new one comes with the time of a landing that the fact has already taken in; --full-refresh is no better.
    What was built in another run (by `dbt snapshot`, say) is as good as what is selected.
-#}
{% macro refuse_to_run_ahead_of_history() -%}
    {%- if execute and not flags.EMPTY and model.config.materialized == 'incremental' -%}
        {%- for node_id in ids_above(model.unique_id, []) if node_id not in selected_resources -%}
            {%- set node = graph.nodes[node_id] -%}
            {%- if snapshot_is_behind(node) or dimension_is_behind(node) -%}
                {{ exceptions.raise_compiler_error(
                    model.name ~ " would take in a landing that " ~ node.name ~ " does not know yet, and miss its history for good: "
                    ~ "run `dbt build`"
                ) }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- All that a node is made of; sources are left out. -#}
{% macro ids_above(node_id, found) -%}
    {%- for parent in graph.nodes[node_id].depends_on.nodes if parent in graph.nodes and parent not in found -%}
        {%- do found.append(parent) -%}
        {%- do ids_above(parent, found) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Whether the current rows of a snapshot are others than those it is taken of. -#}
{% macro snapshot_is_behind(node) -%}
    {%- if node.resource_type != 'snapshot' -%} {{ return(false) }} {%- endif -%}
    {%- set taken, taken_of = relation_of(node), relation_of(graph.nodes[node.depends_on.nodes[0]]) -%}
    {%- if not (load_relation(taken) and load_relation(taken_of)) -%} {{ return(false) }} {%- endif -%}
    {%- set columns = ([node.config.unique_key] + node.config.check_cols) | join(', ') -%}
    {%- set differing -%}
        select {{ node.config.unique_key }}
        from (
            select {{ columns }}, 1 as side from {{ taken }} where dbt_valid_to is null
            union all
            select {{ columns }}, -1 as side from {{ taken_of }}
        ) as both_sides
        group by {{ columns }}
        having sum(side) <> 0
        limit 1
    {%- endset -%}
    {{ return(run_query(differing) | length > 0) }}
{%- endmacro %}

{#- Whether a dimension lacks the latest version that the snapshot of its natural key has. -#}
{% macro dimension_is_behind(node) -%}
    {%- if node.config.materialized != 'table' or 'known_since' not in node.columns or not load_relation(relation_of(node)) -%}
        {{ return(false) }}
    {%- endif -%}
    {%- for snapshot_id in ids_above(node.unique_id, []) -%}
        {%- set snapshot = graph.nodes[snapshot_id] -%}
        {%- if snapshot.resource_type == 'snapshot' and snapshot.config.unique_key in node.columns and load_relation(relation_of(snapshot)) -%}
            {%- set missing -%}
                select max(dbt_valid_from)
                from {{ relation_of(snapshot) }}
                having max(dbt_valid_from) > coalesce((select max(known_since) from {{ relation_of(node) }}), {{ beginning_of_time() }})
            {%- endset -%}
            {%- if run_query(missing) | length > 0 -%} {{ return(true) }} {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{% macro relation_of(node) -%}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{%- endmacro %}
