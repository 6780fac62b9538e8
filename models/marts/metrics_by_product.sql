with order_lines as (
    select * from {{ ref('fct_order_lines') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

sales as (
    select
        coalesce(products.product_code, 'Unknown') as product_code,
        order_lines.order_number,
        order_lines.quantity_ordered as largest_quantity_ordered,
        order_lines.quantity_ordered,
        order_lines.gross_sales_amount,
        order_lines.net_sales_amount,
        order_lines.margin_amount,
        order_lines.net_cost_amount,
        order_lines.net_margin_amount
    from order_lines
    left join products on order_lines.product_key = products.product_key
),

-- A product on two lines of an order is one order of it.
orders_of_products as (
    select distinct
        coalesce(products.product_code, 'Unknown') as product_code,
        order_lines.order_number
    from order_lines
    left join products on order_lines.product_key = products.product_key
),

orders as (
    select
        orders_of_products.product_code,
        customers.customer_number,
        fct_orders.is_cancelled,
        fct_orders.is_late,
        fct_orders.days_to_ship
    from orders_of_products
    left join {{ ref('fct_orders') }} as fct_orders on orders_of_products.order_number = fct_orders.order_number
    left join customers on fct_orders.customer_key = customers.customer_key
),

{{ metrics_by('product_code', 'varchar(64)') }}

select * from final
