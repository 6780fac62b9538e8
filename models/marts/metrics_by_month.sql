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

balances_with_month as (
    select
        coalesce(dates.year_month, 'unknown') as year_month,
        balances.outstanding_amount
    from balances
    left join dates on balances.month_end_date_key = dates.date_key
),

by_lines as (
    select
        order_month as year_month,
        {{ line_metrics() }}
    from order_lines
    group by order_month
),

by_orders as (
    select
        year_month,
        {{ order_metrics() }}
    from orders_with_month
    group by year_month
),

by_balances as (
    select
        year_month,
        {{ balance_metrics() }}
    from balances_with_month
    group by year_month
),

-- Months in which something was ordered, or owed.
months as (
    select year_month from by_orders
    union
    select year_month from by_balances
)

select
    cast(months.year_month as varchar(16)) as year_month,
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
from months
left join by_lines on months.year_month = by_lines.year_month
left join by_orders on months.year_month = by_orders.year_month
left join by_balances on months.year_month = by_balances.year_month
