with dates as (
    select * from {{ ref('dim_dates') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

sales as (
    select
        product_lines.order_month as year_month,
        product_lines.*
    from {{ ref('fct_order_product_lines') }} as product_lines
),

orders as (
    select
        coalesce(dates.year_month, 'unknown') as year_month,
        customers.customer_number,
        fct_orders.is_cancelled,
        fct_orders.is_late,
        fct_orders.days_to_ship
    from {{ ref('fct_orders') }} as fct_orders
    left join dates on fct_orders.order_date_key = dates.date_key
    left join customers on fct_orders.customer_key = customers.customer_key
),

balances_by_day as (
    select
        month_end_date_key,
        sum(outstanding_amount) as outstanding_amount
    from {{ ref('fct_customer_balances') }}
    group by month_end_date_key
),

balances as (
    select
        coalesce(dates.year_month, 'unknown') as year_month,
        balances_by_day.outstanding_amount
    from balances_by_day
    left join dates on balances_by_day.month_end_date_key = dates.date_key
),

{{ metrics_by('year_month', 'varchar(16)', balances=true, name='metrics') }},

sales_by_day as (
    select
        dates.date_day,
        sum(fct_orders.net_sales_amount) as net_sales_amount
    from {{ ref('fct_orders') }} as fct_orders
    inner join dates on fct_orders.order_date_key = dates.date_key
    group by dates.date_day
),

days_of_receivables as (
    select distinct
        month_end_date_key,
        as_of_date_key
    from {{ ref('fct_receivables') }}
),

sales_of_90_days as (
    select
        month_ends.year_month,
        sum(sales_by_day.net_sales_amount) as net_sales_amount
    from days_of_receivables
    inner join dates as month_ends on days_of_receivables.month_end_date_key = month_ends.date_key
    inner join dates as as_of_days on days_of_receivables.as_of_date_key = as_of_days.date_key
    inner join sales_by_day
        on
            as_of_days.date_day - 90 < sales_by_day.date_day
            and as_of_days.date_day >= sales_by_day.date_day
    group by month_ends.year_month
),

-- A month that has no balances is one of the future, which only orders dated there have.
last_month as (
    select max(year_month) as year_month
    from metrics
    where kept_order_count > 0 and outstanding_amount is not null and year_month <> 'unknown'
),

final as (
    select
        metrics.*,
        coalesce(metrics.year_month = last_month.year_month, false) as is_last_month_with_sales,
        cast(
            case
                when metrics.outstanding_amount = 0 then 0 -- where nobody owes, fct_receivables has no row
                else metrics.outstanding_amount * 90 / nullif(sales_of_90_days.net_sales_amount, 0)
            end as numeric(10, 1)
        ) as days_sales_outstanding
    from metrics
    cross join last_month
    left join sales_of_90_days on metrics.year_month = sales_of_90_days.year_month
)

select * from final
