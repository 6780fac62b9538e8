with sales as (
    select * from {{ ref('fct_order_product_lines') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

balances as (
    select
        month_end_date_key,
        {{ balance_metrics() }}
    from {{ ref('fct_customer_balances') }}
    group by month_end_date_key
),

dates as (
    select * from {{ ref('dim_dates') }}
),

orders_with_month as (
    select
        coalesce(dates.year_month, 'unknown') as year_month,
        customers.customer_number,
        orders.days_to_ship,
        orders.is_late
    from orders
    left join dates on orders.order_date_key = dates.date_key
    left join customers on orders.customer_key = customers.customer_key
),

by_sales as (
    select
        order_month as year_month,
        {{ sales_metrics() }}
    from sales
    group by order_month
),

by_orders as (
    select
        year_month,
        {{ order_metrics() }}
    from orders_with_month
    group by year_month
),

customers_who_ordered as (
    select distinct
        year_month,
        customer_number
    from orders_with_month
),

by_customers as (
    select
        year_month,
        {{ customer_metrics() }}
    from customers_who_ordered
    group by year_month
),

by_balances as (
    select
        coalesce(dates.year_month, 'unknown') as year_month,
        balances.outstanding_amount
    from balances
    left join dates on balances.month_end_date_key = dates.date_key
),

-- Months in which something was ordered, or owed.
months as (
    select year_month from by_orders
    union
    select year_month from by_balances
)

select
    cast(months.year_month as varchar(16)) as year_month,
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
from months
left join by_sales on months.year_month = by_sales.year_month
left join by_orders on months.year_month = by_orders.year_month
left join by_customers on months.year_month = by_customers.year_month
left join by_balances on months.year_month = by_balances.year_month
