{{
    config(
        materialized='incremental',
        pre_hook="{{ delete_changed_orders() }}",
    )
}}

with order_lines as (
    select * from {{ ref('fct_order_lines') }}
),

orders as (
    select * from {{ ref('int_orders__bound') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

dates as (
    select * from {{ ref('dim_dates') }}
),

added_up as (
    select
        order_lines.order_number,
        products.product_line,
        sum(order_lines.gross_sales_amount) as gross_sales_amount,
        sum(order_lines.net_sales_amount) as net_sales_amount,
        sum(order_lines.quantity_ordered) as quantity_ordered,
        max(order_lines.quantity_ordered) as largest_quantity_ordered,
        sum(order_lines.margin_amount) as margin_amount,
        sum(order_lines.net_cost_amount) as net_cost_amount,
        sum(order_lines.net_margin_amount) as net_margin_amount,
        max(order_lines._loaded_at) as _loaded_at
    from order_lines
    left join products on order_lines.product_key = products.product_key
    {%- if is_incremental() %}
    where order_lines.order_number in ({{ changed_orders() }})
    {%- endif %}
    group by order_lines.order_number, products.product_line
),

final as (
    select
        -- keys
        added_up.order_number,
        added_up.product_line,
        orders.sales_rep_employee_key,
        orders.office_key,

        -- attributes
        customers.customer_number,
        customers.country as customer_country,
        dates.year_month as order_month,
        cast(
            case when orders.shipped_date >= orders.order_date then orders.shipped_date - orders.order_date end as integer
        ) as days_to_ship,
        orders.is_cancelled,
        coalesce(orders.shipped_date > orders.required_date, false) as is_late,

        -- measures
        cast(added_up.gross_sales_amount as numeric(18, 2)) as gross_sales_amount,
        cast(added_up.net_sales_amount as numeric(18, 2)) as net_sales_amount,
        cast(added_up.quantity_ordered as integer) as quantity_ordered,
        cast(added_up.largest_quantity_ordered as integer) as largest_quantity_ordered,
        cast(added_up.margin_amount as numeric(18, 2)) as margin_amount,
        cast(added_up.net_cost_amount as numeric(18, 2)) as net_cost_amount,
        cast(added_up.net_margin_amount as numeric(18, 2)) as net_margin_amount,

        -- lineage
        added_up._loaded_at
    from added_up
    left join orders on added_up.order_number = orders.order_number
    left join customers on orders.customer_key = customers.customer_key
    left join dates on orders.order_date_key = dates.date_key
)

select * from final
