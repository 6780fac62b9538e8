-- Every fact points to the one version of its member that binds the fact's date. Red after a landing that was
-- published while dbt was building: build with --full-refresh then, and never land during a build.
with customers as (
    select * from {{ ref('dim_customers') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

employees as (
    select * from {{ ref('dim_employees') }}
),

bindings as (
    select distinct
        'product' as member,
        product_key as member_key,
        order_date_key as date_key
    from {{ ref('fct_order_lines') }}
    union all
    select distinct
        'customer' as member,
        customer_key as member_key,
        order_date_key as date_key
    from {{ ref('fct_orders') }}
    union all
    select distinct
        'customer' as member,
        customer_key as member_key,
        payment_date_key as date_key
    from {{ ref('fct_payments') }}
    union all
    select distinct
        'employee' as member,
        sales_rep_employee_key as member_key,
        order_date_key as date_key
    from {{ ref('fct_orders') }}
),

members as (
    select
        'customer' as member,
        customer_key as member_key,
        binds_from,
        binds_to
    from customers
    union all
    select
        'product' as member,
        product_key as member_key,
        binds_from,
        binds_to
    from products
    union all
    select
        'employee' as member,
        employee_key as member_key,
        binds_from,
        binds_to
    from employees
)

select
    bindings.member,
    bindings.member_key,
    bindings.date_key
from bindings
left join members
    on
        bindings.member = members.member
        and bindings.member_key = members.member_key
where
    bindings.date_key > 0
    and (
        members.member_key is null
        or bindings.date_key < {{ date_key('members.binds_from') }}
        or bindings.date_key >= {{ date_key('members.binds_to') }}
    )
