with sales as (
    select * from {{ ref('fct_order_product_lines') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

last_balances as (
    select * from {{ ref('fct_customer_balances') }}
    where month_end_date_key in (select max(all_months.month_end_date_key) from {{ ref('fct_customer_balances') }} as all_months)
),

orders_with_country as (
    select
        coalesce(customers.country, 'Unknown') as customer_country,
        customers.customer_number,
        orders.days_to_ship,
        orders.is_late
    from orders
    left join customers on orders.customer_key = customers.customer_key
),

last_balances_with_country as (
    select
        coalesce(customers.country, 'Unknown') as customer_country,
        last_balances.outstanding_amount
    from last_balances
    left join customers on last_balances.customer_key = customers.customer_key
),

by_sales as (
    select
        customer_country,
        {{ sales_metrics() }}
    from sales
    group by customer_country
),

by_orders as (
    select
        customer_country,
        {{ order_metrics() }}
    from orders_with_country
    group by customer_country
),

customers_who_ordered as (
    select distinct
        customer_country,
        customer_number
    from orders_with_country
),

by_customers as (
    select
        customer_country,
        {{ customer_metrics() }}
    from customers_who_ordered
    group by customer_country
),

by_balances as (
    select
        customer_country,
        {{ balance_metrics() }}
    from last_balances_with_country
    group by customer_country
),

countries as (
    select customer_country from by_orders
    union
    select customer_country from by_balances
)

select
    cast(countries.customer_country as varchar(255)) as customer_country,
    cast(coalesce(by_sales.gross_sales_amount, 0) as numeric(18, 2)) as gross_sales_amount,
    cast(coalesce(by_sales.net_sales_amount, 0) as numeric(18, 2)) as net_sales_amount,
    cast(coalesce(by_sales.quantity_ordered, 0) as bigint) as quantity_ordered,
    cast(by_sales.average_unit_price as numeric(18, 4)) as average_unit_price,
    cast(by_sales.margin_amount as numeric(18, 2)) as margin_amount,
    cast(coalesce(by_orders.order_count, 0) as bigint) as order_count,
    cast(coalesce(by_customers.customer_count, 0) as bigint) as customer_count,
    cast(by_orders.average_days_to_ship as numeric(10, 4)) as average_days_to_ship,
    cast(by_orders.late_share as numeric(10, 4)) as late_share,
    cast(by_balances.outstanding_amount as numeric(18, 2)) as outstanding_amount
from countries
left join by_sales on countries.customer_country = by_sales.customer_country
left join by_orders on countries.customer_country = by_orders.customer_country
left join by_customers on countries.customer_country = by_customers.customer_country
left join by_balances on countries.customer_country = by_balances.customer_country
