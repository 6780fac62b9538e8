{#-
    The landing that a table was built from: rows that changed later are still to come. The beginning of time where it was built from
    parts of several, or by other code (taken_in.sql). Never later than its own rows: one that was emptied or restored takes in what it
    lacks. Written as a value, not as a subquery, so that the planner knows how few rows that is. A unit test has no table to ask.
-#}
{% macro watermark() -%}
    {%- if is_made_by_other_code() -%}
        {{ beginning_of_time() }}
    {%- elif execute and model.resource_type == 'model' and is_incremental() -%}
        {%- set taken_in = run_query(
            "select cast(least(coalesce(max(_loaded_at), " ~ beginning_of_time() ~ "), " ~ landing_taken_in([model.name])
            ~ ") as varchar(40)) from " ~ this
        )[0][0] -%}
        cast('{{ taken_in }}' as timestamp)
    {%- else -%}
        (select coalesce(max(_loaded_at), {{ beginning_of_time() }}) from {{ this }})
    {%- endif -%}
{%- endmacro %}

{#-
    Whether a dimension has versions that are newer than the table. Asked before the SQL is written: where there are none, as on most
    days, it need not say what would follow, which the planner of Postgres would take for an eighth of the orders.
-#}
{% macro has_new_versions(dimension) -%}
    {%- if execute and model.resource_type == 'model' and is_incremental() -%}
        {%- set found = run_query('select 1 from ' ~ dimension ~ ' where known_since > ' ~ watermark() ~ ' limit 1') -%}
        {{ return(found | length > 0) }}
    {%- endif -%}
    {{ return(true) }}
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

{#- Pre-hook of fct_stock_levels: removes the days that have landed again, also where no product is left to replace them. -#}
{% macro delete_stock_of_days_landed_again() -%}
    {%- set landings = ref('stg_classicmodels__landing_tables') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where date_key in (
            select {{ date_key('landings.loaded_at') }}
            from {{ landings }} as landings
            where landings.table_name = 'products' and landings.loaded_at > {{ watermark() }}
        )
    {%- endif -%}
{%- endmacro %}

{#- Pre-hook of int_customers__monthly_activity: removes the customers of whom no order or payment is left. -#}
{% macro delete_activity_of_customers_without_any() -%}
    {%- set totals = ref('int_customers__totals') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where customer_number not in (
            select customer_number
            from {{ totals }}
            where order_count > 0 or payment_count > 0
        )
    {%- endif -%}
{%- endmacro %}

{#-
    Pre-hook of fct_customer_balances: removes what the data's span no longer has, and customers that are gone (one that only a
    deleted order had mentioned).
-#}
{% macro delete_balances_out_of_scope() -%}
    {%- set totals = ref('int_customers__totals') -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where month_end_date_key < (select coalesce({{ date_key('min(first_month_end_date)') }}, 99999999) from {{ totals }});
        {%- call delete_out_of_scope(totals, 'month_end_date_key') %}
            totals.customer_number is null
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{#-
    Pre-hook of ml_customer_features: removes what the data's span no longer has, and customers whose first
    order is another one than when their last month was written, or none: what they still have is made anew.
-#}
{% macro delete_features_out_of_scope() -%}
    {%- set totals = ref('int_customers__totals') -%}
    {%- if is_incremental() -%}
        {%- call delete_out_of_scope(totals, 'as_of_date_key') %}
            totals.first_order_date is null
            or totals.first_order_date <> cast(
                to_date(cast(stored.as_of_date_key as varchar(8)), 'YYYYMMDD') - stored.tenure_days as date
            )
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{#-
    Removes everything where the data no longer have the table's last month, since what left it may have been a customer's latest change;
    else the customers of whom the condition holds: it may ask `stored`, their row of the table's last month (whoever is in a month is in
    that one too), and `totals`.
-#}
{% macro delete_out_of_scope(totals, month_key) -%}
    delete from {{ this }}
    where (select max({{ month_key }}) from {{ this }}) > (select coalesce({{ date_key('max(last_month_end_date)') }}, 0) from {{ totals }});
    delete from {{ this }}
    where customer_number in (
        select stored.customer_number
        from {{ this }} as stored
        left join {{ totals }} as totals on stored.customer_number = totals.customer_number
        where
            stored.{{ month_key }} = (select max({{ month_key }}) from {{ this }})
            and ({{ caller() }})
    )
{%- endmacro %}
