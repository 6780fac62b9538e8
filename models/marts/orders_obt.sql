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

employees as (
    select * from {{ ref('dim_employees') }}
),

offices as (
    select * from {{ ref('dim_offices') }}
),

dates as (
    select * from {{ ref('dim_dates') }}
),

final as (
    select
        -- keys
        order_lines.order_line_key,
        order_lines.order_number,
        order_lines.order_line_number,

        -- when
        orders.order_date,
        orders.required_date,
        orders.shipped_date,
        dates.calendar_year as order_year,
        dates.year_quarter as order_quarter,
        dates.year_month as order_month,

        -- status
        order_lines.order_status,
        order_lines.is_cancelled,
        orders.is_open,

        -- who
        customers.customer_number,
        customers.customer_name,
        customers.country as customer_country,
        customers.state as customer_state,
        customers.city as customer_city,

        -- what
        products.product_code,
        products.product_name,
        products.product_line,
        products.product_scale,
        products.product_vendor,

        -- sold by
        employees.employee_number as sales_rep_employee_number,
        employees.full_name as sales_rep_name,
        offices.office_code,
        offices.city as office_city,
        offices.country as office_country,
        offices.territory as office_territory,

        -- measures
        order_lines.quantity_ordered,
        order_lines.unit_price,
        order_lines.gross_sales_amount,
        order_lines.net_sales_amount,
        order_lines.cost_amount,
        order_lines.margin_amount,
        order_lines.net_cost_amount,
        order_lines.net_margin_amount,
        order_lines.list_amount,
        order_lines.discount_amount,
        order_lines.is_cost_known_at_order_date,

        -- lineage
        order_lines._loaded_at
    from order_lines
    left join orders on order_lines.order_number = orders.order_number
    left join customers on order_lines.customer_key = customers.customer_key
    left join products on order_lines.product_key = products.product_key
    left join employees on order_lines.sales_rep_employee_key = employees.employee_key
    left join offices on order_lines.office_key = offices.office_key
    left join dates on order_lines.order_date_key = dates.date_key
    {%- if is_incremental() %}
    where order_lines.order_number in ({{ changed_orders() }})
    {%- endif %}
)

select * from final
