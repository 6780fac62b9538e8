with order_lines as (
    select * from {{ ref('orders_obt') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

balances as (
    select * from {{ ref('fct_customer_balances') }}
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
        balances.outstanding_amount
    from balances
    left join customers on balances.customer_key = customers.customer_key
    where balances.month_end_date_key in (select max(all_months.month_end_date_key) from balances as all_months)
),

by_lines as (
    select
        customer_country,
        {{ line_metrics() }}
    from order_lines
    group by customer_country
),

by_orders as (
    select
        customer_country,
        {{ order_metrics() }}
    from orders_with_country
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
    cast(coalesce(by_lines.gross_sales_amount, 0) as numeric(18, 2)) as gross_sales_amount,
    cast(coalesce(by_lines.net_sales_amount, 0) as numeric(18, 2)) as net_sales_amount,
    cast(coalesce(by_lines.quantity_ordered, 0) as bigint) as quantity_ordered,
    cast(by_lines.average_unit_price as numeric(18, 4)) as average_unit_price,
    cast(by_lines.margin_amount as numeric(18, 2)) as margin_amount,
    cast(coalesce(by_orders.order_count, 0) as bigint) as order_count,
    cast(coalesce(by_orders.customer_count, 0) as bigint) as customer_count,
    cast(by_orders.average_days_to_ship as numeric(10, 4)) as average_days_to_ship,
    cast(by_orders.late_share as numeric(10, 4)) as late_share,
    cast(by_balances.outstanding_amount as numeric(18, 2)) as outstanding_amount
from countries
left join by_lines on countries.customer_country = by_lines.customer_country
left join by_orders on countries.customer_country = by_orders.customer_country
left join by_balances on countries.customer_country = by_balances.customer_country
