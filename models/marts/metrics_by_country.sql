with customers as (
    select * from {{ ref('dim_customers') }}
),

last_balances as (
    select * from {{ ref('fct_customer_balances') }}
    where month_end_date_key in (select max(all_months.month_end_date_key) from {{ ref('fct_customer_balances') }} as all_months)
),

sales as (
    select * from {{ ref('fct_order_product_lines') }}
),

orders as (
    select
        coalesce(customers.country, 'Unknown') as customer_country,
        customers.customer_number,
        fct_orders.is_cancelled,
        fct_orders.is_late,
        fct_orders.days_to_ship
    from {{ ref('fct_orders') }} as fct_orders
    left join customers on fct_orders.customer_key = customers.customer_key
),

balances as (
    select
        coalesce(customers.country, 'Unknown') as customer_country,
        last_balances.outstanding_amount
    from last_balances
    left join customers on last_balances.customer_key = customers.customer_key
),

{{ metrics_by('customer_country', 'varchar(255)', balances=true) }}

select * from final
