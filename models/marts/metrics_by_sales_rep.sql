with customers as (
    select * from {{ ref('dim_customers') }}
),

employees as (
    select * from {{ ref('dim_employees') }}
),

sales as (
    select
        coalesce(employees.employee_number, -1) as sales_rep_employee_number,
        product_lines.*
    from {{ ref('fct_order_product_lines') }} as product_lines
    left join employees on product_lines.sales_rep_employee_key = employees.employee_key
),

orders as (
    select
        coalesce(employees.employee_number, -1) as sales_rep_employee_number,
        customers.customer_number,
        fct_orders.is_cancelled,
        fct_orders.is_late,
        fct_orders.days_to_ship
    from {{ ref('fct_orders') }} as fct_orders
    left join employees on fct_orders.sales_rep_employee_key = employees.employee_key
    left join customers on fct_orders.customer_key = customers.customer_key
),

{{ metrics_by('sales_rep_employee_number', 'integer') }}

select * from final
