with customers as (
    select * from {{ ref('dim_customers') }}
),

offices as (
    select * from {{ ref('dim_offices') }}
),

sales as (
    select
        coalesce(offices.office_code, 'Unknown') as office_code,
        product_lines.*
    from {{ ref('fct_order_product_lines') }} as product_lines
    left join offices on product_lines.office_key = offices.office_key
),

orders as (
    select
        coalesce(offices.office_code, 'Unknown') as office_code,
        customers.customer_number,
        fct_orders.is_cancelled,
        fct_orders.is_late,
        fct_orders.days_to_ship
    from {{ ref('fct_orders') }} as fct_orders
    left join offices on fct_orders.office_key = offices.office_key
    left join customers on fct_orders.customer_key = customers.customer_key
),

{{ metrics_by('office_code', 'varchar(255)') }}

select * from final
