{#- Rows that changed later are still to come. A table that was emptied or restored takes in what it lacks. A unit test has its own rows. -#}
{% macro watermark() -%}
    {%- set landing = last_complete_landing() if execute and model.resource_type == 'model' -%}
    {%- if landing -%}
        {%- set own = run_query("select cast(max(_loaded_at) as varchar(40)) from " ~ this)[0][0] if is_incremental() -%}
        {{ return("cast('" ~ ([landing, own] | min if own else '1900-01-01') ~ "' as timestamp)") }}
    {%- elif execute and model.resource_type == 'unit_test' -%}
        {{ return("(select coalesce(max(_loaded_at), " ~ beginning_of_time() ~ ") from " ~ this ~ ")") }}
    {%- endif -%}
    {{ return(beginning_of_time()) }}
{%- endmacro %}

{#- Orders that changed, with all that hangs on them: int_orders__bound dates each by the latest of what it is made of. -#}
{% macro changed_orders() -%}
    select changed.order_number from {{ ref('int_orders__bound') }} as changed where changed._loaded_at > {{ watermark() }}
{%- endmacro %}

{#- Pre-hook of the models that hold orders or their lines: what is gone goes, and what changed comes again. -#}
{% macro delete_changed_orders() -%}
    {%- set orders = ref('int_orders__bound') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        {%- if last_complete_landing() %}
        where order_number in ({{ changed_orders() }})
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
