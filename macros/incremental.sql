{#-
    The last landing a table has taken in: rows of raw that changed later are still to come. Written as a value, not as
    a subquery, so that the planner knows how few rows that is. A unit test has no table to ask.
-#}
{% macro watermark() -%}
    {%- if execute and model.resource_type == 'model' and is_incremental() -%}
        {%- set taken_in = run_query('select cast(max(_loaded_at) as varchar(40)) from ' ~ this)[0][0] -%}
        cast('{{ taken_in or '1900-01-01' }}' as timestamp)
    {%- else -%}
        (select coalesce(max(_loaded_at), {{ beginning_of_time() }}) from {{ this }})
    {%- endif -%}
{%- endmacro %}

{#-
    Pre-hook of the incremental models that hold order lines: removes the orders that have no line left, which
    delete+insert cannot see because nothing arrives for them.
-#}
{% macro delete_orders_without_lines() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where order_number in (
            select order_number
            from {{ ref('int_orders__bound') }}
            where line_count = 0 and _loaded_at > {{ watermark() }}
        )
    {%- endif -%}
{%- endmacro %}

{#- Pre-hook of fct_orders: removes the orders that neither MySQL's orders nor its order lines know any more. -#}
{% macro delete_orders_not_in_source() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where order_number in (
            select order_number
            from {{ ref('int_orders__bound') }}
            where not is_in_source and _loaded_at > {{ watermark() }}
        )
    {%- endif -%}
{%- endmacro %}

{#- Pre-hook of fct_payments: removes the payments that a landing found gone. -#}
{% macro delete_deleted_payments() -%}
    {%- set deletions = ref('stg_classicmodels__landing_deletions') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where payment_key in (
            select {{ surrogate_key(['customer_number', 'check_number']) }}
            from {{ deletions }}
            where table_name = 'payments' and deleted_at > {{ watermark() }}
        )
    {%- endif -%}
{%- endmacro %}

{#-
    Pre-hook of fct_customer_balances: removes customers that are gone (one that only a deleted order had mentioned)
    and months that the data's span no longer has.
-#}
{% macro delete_balances_out_of_scope() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where
            customer_number not in (
                select customer_number from {{ ref('dim_customers') }}
                where customer_number is not null
            )
            or month_end_date_key < (
                select coalesce(min({{ date_key('month_end_date') }}), 99999999)
                from {{ ref('int_customers__monthly_activity') }}
            )
            or month_end_date_key > (
                select coalesce(max({{ date_key('month_end_date') }}), 0)
                from {{ ref('int_customers__monthly_activity') }}
            )
    {%- endif -%}
{%- endmacro %}

{#-
    Pre-hook of ml_customer_features: removes customers' months from before their first order, and months that the
    data's span no longer has, as they stand after a deletion.
-#}
{% macro delete_features_out_of_scope() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where (customer_number, as_of_date_key) in (
            with first_months as (
                select
                    customer_number,
                    {{ date_key('min(first_order_date)') }} as first_order_date_key
                from {{ ref('int_customers__monthly_activity') }}
                group by customer_number
            ),

            last_month as (
                select {{ date_key('max(month_end_date)') }} as month_end_date_key
                from {{ ref('int_customers__monthly_activity') }}
            )

            select
                features.customer_number,
                features.as_of_date_key
            from {{ this }} as features
            cross join last_month
            left join first_months on features.customer_number = first_months.customer_number
            where
                first_months.first_order_date_key is null
                or features.as_of_date_key < first_months.first_order_date_key
                or features.as_of_date_key > last_month.month_end_date_key
        )
    {%- endif -%}
{%- endmacro %}
