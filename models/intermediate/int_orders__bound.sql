{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='order_number',
        on_schema_change='fail',
        pre_hook="{{ 'delete from ' ~ this if is_incremental() and not last_complete_landing() }}",
        post_hook="{{ analyze_table() }}",
    )
}}

with order_lines as (
    select * from {{ ref('stg_classicmodels__order_lines') }}
),

deletions as (
    select * from {{ ref('stg_classicmodels__landing_deletions') }}
    where order_number is not null
),

customers as (
    select * from {{ ref('dim_customers') }}
),

employees as (
    select * from {{ ref('dim_employees') }}
),

order_statuses as (
    select * from {{ ref('dim_order_statuses') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

offices as (
    select * from {{ ref('dim_offices') }}
),

{% if is_incremental() -%}
{%- set since = watermark() -%}
-- Everything that can move an order since this table was last built. Each step reads its table by itself: Postgres
-- would copy a CTE that is read twice to disk, and the cost would grow with the table.
order_rows_changed as (
    select order_number from {{ ref('stg_classicmodels__orders') }}
    where _loaded_at > {{ since }}
),

line_rows_changed as (
    select order_number from {{ ref('stg_classicmodels__order_lines') }}
    where _loaded_at > {{ since }}
),

-- A customer changed: orders from then on belong to the new version.
customers_changed as (
    select
        customer_number,
        binds_from
    from customers
    where known_since > {{ since }}
),

-- A rep changed (another office, another manager): so do the orders of the rep's customers from then on.
customers_of_reps_changed as (
    select
        customers.customer_number,
        employees.binds_from
    from employees
    inner join customers on employees.employee_number = customers.sales_rep_employee_number
    where employees.known_since > {{ since }}
),

customers_to_rebind as (
    select
        customer_number,
        min(binds_from) as binds_from
    from (
        select * from customers_changed
        union all
        select * from customers_of_reps_changed
    ) as changes
    group by customer_number
),

order_dates as (
    select
        order_number,
        customer_number,
        order_date
    from {{ ref('stg_classicmodels__orders') }}
),

-- A product changed, or arrived: lines ordered from then on take its new cost and list price.
products_changed as (
    select
        product_code,
        min(binds_from) as binds_from
    from {{ ref('dim_products') }}
    where known_since > {{ since }}
    group by product_code
),

lines_of_products_changed as (
    select
        lines_now.order_number,
        products_changed.binds_from
    from {{ ref('stg_classicmodels__order_lines') }} as lines_now
    inner join products_changed on lines_now.product_code = products_changed.product_code
),

-- Offices are shown as they are now: when one moves, its orders are written again.
offices_changed as (
    select office_key from {{ ref('dim_offices') }}
    where known_since > {{ since }}
),

changed_orders as (
    select order_number from order_rows_changed
    union
    select order_number from line_rows_changed
    union
    select order_number from deletions
    where deleted_at > {{ since }}
    union
    select order_dates.order_number
    from customers_to_rebind
    inner join order_dates
        on
            customers_to_rebind.customer_number = order_dates.customer_number
            and customers_to_rebind.binds_from <= {{ binding_day('order_dates.order_date') }}
    union
    select lines_of_products_changed.order_number
    from lines_of_products_changed
    left join order_dates on lines_of_products_changed.order_number = order_dates.order_number
    where lines_of_products_changed.binds_from <= {{ binding_day('order_dates.order_date') }}
    union
    select order_number from {{ this }}
    where office_key in (select offices_changed.office_key from offices_changed)
),

{% endif -%}
orders as (
    select * from {{ ref('stg_classicmodels__orders') }}
    {%- if is_incremental() %}
    where order_number in (select changed_orders.order_number from changed_orders)
    {%- endif %}
),

line_totals as (
    select
        order_lines.order_number,
        count(*) as line_count,
        sum(order_lines.quantity_ordered) as quantity_ordered,
        sum(order_lines.quantity_ordered * order_lines.unit_price) as gross_sales_amount,
        max(greatest(order_lines._loaded_at, products.known_since)) as _loaded_at
    from order_lines
    left join orders on order_lines.order_number = orders.order_number
    left join products
        on
            order_lines.product_code = products.product_code
            and {{ binding_day('orders.order_date') }} >= products.binds_from
            and {{ binding_day('orders.order_date') }} < products.binds_to
    {%- if is_incremental() %}
    where order_lines.order_number in (select changed_orders.order_number from changed_orders)
    {%- endif %}
    group by order_lines.order_number
),

deleted_rows as (
    select
        order_number,
        max(deleted_at) as deleted_at
    from deletions
    group by order_number
),

-- Orders, orders that have nothing left but lines, and orders that were deleted.
order_numbers as (
    {%- if is_incremental() %}
    select order_number from changed_orders
    {%- else %}
    select order_number from {{ ref('stg_classicmodels__orders') }}
    union
    select order_number from line_totals
    union
    select order_number from deleted_rows
    {%- endif %}
),

joined as (
    select
        order_numbers.order_number,
        orders.order_number is not null as has_order,
        orders.order_number is not null or line_totals.order_number is not null as is_in_source,
        orders.customer_number,
        coalesce(customers.customer_key, {{ unknown_key() }}) as customer_key,
        coalesce(employees.employee_key, {{ unknown_key() }}) as sales_rep_employee_key,
        coalesce(employees.office_key, {{ unknown_key() }}) as office_key,
        coalesce(customers.location_key, {{ unknown_key() }}) as customer_location_key,
        coalesce(orders.order_status, 'Unknown') as order_status,
        coalesce(order_statuses.is_open, true) as is_open,
        not coalesce(order_statuses.is_counted_as_sale, true) as is_cancelled,
        orders.order_date,
        orders.required_date,
        orders.shipped_date,
        coalesce(line_totals.line_count, 0) as line_count,
        coalesce(line_totals.quantity_ordered, 0) as quantity_ordered,
        coalesce(line_totals.gross_sales_amount, 0) as gross_sales_amount,
        greatest(
            orders._loaded_at,
            line_totals._loaded_at,
            deleted_rows.deleted_at,
            customers.known_since,
            employees.known_since,
            offices.known_since
        ) as _loaded_at
    from order_numbers
    left join orders on order_numbers.order_number = orders.order_number
    left join line_totals on order_numbers.order_number = line_totals.order_number
    left join deleted_rows on order_numbers.order_number = deleted_rows.order_number
    left join order_statuses on orders.order_status = order_statuses.order_status
    left join customers
        on
            orders.customer_number = customers.customer_number
            and {{ binding_day('orders.order_date') }} >= customers.binds_from
            and {{ binding_day('orders.order_date') }} < customers.binds_to
    left join employees
        on
            customers.sales_rep_employee_number = employees.employee_number
            and {{ binding_day('orders.order_date') }} >= employees.binds_from
            and {{ binding_day('orders.order_date') }} < employees.binds_to
    left join offices on employees.office_key = offices.office_key
),

final as (
    select
        -- keys
        order_number,
        customer_number,
        cast(customer_key as varchar(32)) as customer_key,
        cast(sales_rep_employee_key as varchar(32)) as sales_rep_employee_key,
        cast(office_key as varchar(32)) as office_key,
        cast(customer_location_key as varchar(32)) as customer_location_key,
        coalesce({{ date_key('order_date') }}, {{ unknown_date_key() }}) as order_date_key,
        case
            when required_date is null then {{ unknown_date_key() }}
            else {{ date_key('required_date') }}
        end as required_date_key,
        case
            when not has_order then {{ unknown_date_key() }}
            when shipped_date is null then {{ not_yet_date_key() }}
            else {{ date_key('shipped_date') }}
        end as shipped_date_key,

        -- attributes
        cast(order_status as varchar(64)) as order_status,
        is_cancelled,
        is_open,
        is_in_source,

        -- measures
        cast(line_count as integer) as line_count,
        cast(quantity_ordered as integer) as quantity_ordered,
        cast(gross_sales_amount as numeric(18, 2)) as gross_sales_amount,

        -- dates
        case when {{ is_a_day('order_date') }} then order_date end as order_date,
        case when {{ is_a_day('required_date') }} then required_date end as required_date,
        case when {{ is_a_day('shipped_date') }} then shipped_date end as shipped_date,

        -- lineage
        _loaded_at
    from joined
)

select * from final
