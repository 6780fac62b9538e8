{{ config(meta={'dimension': 'accuracy'}) }}
-- The trap this project was built against: a location joined on its postal code multiplied US sales by four. Sales by place
-- must have as many orders, and as much money, as sales without a place. Each sum reads the table by itself: Postgres would copy a
-- CTE that is read twice.
with orders as (
    select * from {{ ref('fct_orders') }}
),

locations as (
    select * from {{ ref('dim_locations') }}
),

by_place as (
    select
        count(*) as order_count,
        sum(orders.gross_sales_amount) as gross_sales_amount
    from orders
    inner join locations on orders.customer_location_key = locations.location_key
),

everything as (
    select
        count(*) as order_count,
        sum(gross_sales_amount) as gross_sales_amount
    from {{ ref('fct_orders') }}
)

select
    by_place.order_count,
    everything.order_count as expected_order_count
from by_place
cross join everything
where
    by_place.order_count <> everything.order_count
    or by_place.gross_sales_amount <> everything.gross_sales_amount
