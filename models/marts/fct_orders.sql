{{
    config(
        materialized='incremental',
        pre_hook="{{ delete_changed_orders() }}",
    )
}}

with orders as (
    select * from {{ ref('int_orders__bound') }}
),

final as (
    select
        -- keys
        order_number,
        customer_key,
        sales_rep_employee_key,
        office_key,
        customer_location_key,
        order_date_key,
        required_date_key,
        shipped_date_key,

        -- attributes
        order_status,
        is_cancelled,
        is_open,
        coalesce(shipped_date > required_date, false) as is_late,

        -- measures
        line_count,
        quantity_ordered,
        gross_sales_amount,
        cast(case when is_cancelled then 0 else gross_sales_amount end as numeric(18, 2)) as net_sales_amount,
        cast(required_date - order_date as integer) as days_allowed,
        cast(case when shipped_date >= order_date then shipped_date - order_date end as integer) as days_to_ship,
        cast(
            case
                when shipped_date > required_date then shipped_date - required_date
                when shipped_date is not null then 0
            end as integer
        ) as days_late,

        -- lineage
        _loaded_at
    from orders
    where
        is_in_source
        {%- if is_incremental() %}
        and order_number in ({{ changed_orders() }})
        {%- endif %}
)

select * from final
