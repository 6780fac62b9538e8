{{ config(meta={'dimension': 'accuracy'}) }}
-- Rep, office and location of an order are those of its own customer's and rep's version: one join too loose, such as on the
-- postal code alone, sends sales to another place.
with orders as (
    select * from {{ ref('fct_orders') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

employees as (
    select * from {{ ref('dim_employees') }}
),

locations as (
    select * from {{ ref('dim_locations') }}
)

select
    orders.order_number,
    customers.customer_number,
    employees.employee_number
from orders
left join customers on orders.customer_key = customers.customer_key
left join employees on orders.sales_rep_employee_key = employees.employee_key
left join locations on orders.customer_location_key = locations.location_key
where
    orders.customer_location_key <> customers.location_key
    or coalesce(locations.country, '') <> coalesce(customers.country, '')
    or coalesce(locations.state, '') <> coalesce(customers.state, '')
    or coalesce(locations.city, '') <> coalesce(customers.city, '')
    or coalesce(locations.postal_code, '') <> coalesce(customers.postal_code, '')
    or orders.office_key <> employees.office_key
    or coalesce(employees.employee_number, -1) <> coalesce(customers.sales_rep_employee_number, -1)
