{{
    config(
        materialized='incremental',
        pre_hook="{{ delete_changed_orders() }}",
    )
}}

with order_lines as (
    select * from {{ ref('stg_classicmodels__order_lines') }}
),

orders as (
    select * from {{ ref('int_orders__bound') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

joined as (
    select
        order_lines.order_number,
        order_lines.order_line_number,
        orders.customer_key,
        coalesce(products.product_key, {{ unknown_key() }}) as product_key,
        orders.sales_rep_employee_key,
        orders.office_key,
        orders.customer_location_key,
        orders.order_date_key,
        orders.required_date_key,
        orders.shipped_date_key,
        orders.order_status,
        orders.is_cancelled,
        coalesce(cast(products.known_since as date) <= orders.order_date, false) as is_cost_known_at_order_date,
        order_lines.quantity_ordered,
        order_lines.unit_price,
        order_lines.quantity_ordered * order_lines.unit_price as gross_sales_amount,
        order_lines.quantity_ordered * products.buy_price as cost_amount,
        order_lines.quantity_ordered * products.list_price as list_amount,
        orders._loaded_at
    from order_lines
    left join orders on order_lines.order_number = orders.order_number
    left join products
        on
            order_lines.product_code = products.product_code
            and coalesce(orders.order_date, cast({{ beginning_of_time() }} as date)) >= products.binds_from
            and coalesce(orders.order_date, cast({{ beginning_of_time() }} as date)) < products.binds_to
    {%- if is_incremental() %}
    where order_lines.order_number in ({{ changed_orders() }})
    {%- endif %}
),

final as (
    select
        -- keys
        cast({{ surrogate_key(['order_number', 'order_line_number']) }} as varchar(32)) as order_line_key,
        order_number,
        cast(order_line_number as integer) as order_line_number,
        customer_key,
        cast(product_key as varchar(32)) as product_key,
        sales_rep_employee_key,
        office_key,
        customer_location_key,
        order_date_key,
        required_date_key,
        shipped_date_key,

        -- attributes
        order_status,
        is_cancelled,
        is_cost_known_at_order_date,
        quantity_ordered < 0 as is_return,

        -- measures
        quantity_ordered,
        unit_price,
        cast(gross_sales_amount as numeric(18, 2)) as gross_sales_amount,
        cast(case when is_cancelled then 0 else gross_sales_amount end as numeric(18, 2)) as net_sales_amount,
        cast(cost_amount as numeric(18, 2)) as cost_amount,
        cast(gross_sales_amount - cost_amount as numeric(18, 2)) as margin_amount,
        cast(case when is_cancelled then 0 else cost_amount end as numeric(18, 2)) as net_cost_amount,
        cast(case when is_cancelled then 0 else gross_sales_amount - cost_amount end as numeric(18, 2)) as net_margin_amount,
        cast(list_amount as numeric(18, 2)) as list_amount,
        cast(list_amount - gross_sales_amount as numeric(18, 2)) as discount_amount,

        -- lineage
        _loaded_at
    from joined
)

select * from final
