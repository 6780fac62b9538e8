{#- On-run-start: the table of `make score`, empty where nobody has scored. Its columns are described in src_predictions.yml. -#}
{% macro prepare_predictions() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'test') -%}
        {%- do adapter.create_schema(api.Relation.create(database=target.database, schema='predictions')) -%}
        {%- do run_query(
            "create table if not exists predictions.scores (customer_number integer not null, as_of_date_key integer not null, model_id varchar(12)"
            ~ " not null, repurchase_probability numeric(7, 6) not null, scored_at timestamp with time zone not null)"
        ) -%}
    {%- endif -%}
{%- endmacro %}

{#- People who were erased (docs/privacy.md): nothing is learned from them, and nothing said of them to another system. -#}
{% macro erased_customers() -%}
    select erased.customer_number from {{ ref('dim_customers') }} as erased where erased.customer_name = 'erased'
{%- endmacro %}
