{% snapshot snap_orders %}
select
    orders.order_number,
    orders.customer_number,
    orders.status,
    orders.order_date,
    orders.shipped_date,
    cast(coalesce(order_totals.gross_sales_amount, 0) as numeric(38, 10)) as gross_sales_amount,
    landing.landed_at
from {{ source('classicmodels', 'orders') }} as orders
left join (
    select
        order_number,
        sum(quantity_ordered * price_each) as gross_sales_amount
    from {{ source('classicmodels', 'orderdetails') }}
    group by order_number
) as order_totals on orders.order_number = order_totals.order_number
cross join (
    select cast(max(landing_runs.loaded_at) at time zone 'UTC' as timestamp) as landed_at
    from {{ source('classicmodels', '_landing_runs') }} as landing_runs
) as landing
{% endsnapshot %}
