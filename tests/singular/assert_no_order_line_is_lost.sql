{{ config(meta={'dimension': 'completeness'}) }}
{%- set is_written = is_changed('order_number') -%}
{%- set is_partial = is_written != 'true' or not execute -%}
-- Lines, pieces and money in the fact equal those in raw, per product line and month: nothing lost, nothing doubled. In a build, of
-- the orders that were written since this passed and those that the last landing changed; all lines are counted every time.
with
{% if is_partial -%}
last_landing as (
    select max(loaded_at) as loaded_at from {{ ref('stg_classicmodels__landing_runs') }}
),

orders_to_compare as (
    select order_number from {{ ref('int_orders__bound') }}
    where {{ is_written }}
    union
    select order_number from {{ ref('stg_classicmodels__order_lines') }}
    where _loaded_at >= (select last_landing.loaded_at from last_landing)
    union
    select order_number from {{ ref('stg_classicmodels__orders') }}
    where _loaded_at >= (select last_landing.loaded_at from last_landing)
),

{% endif -%}
raw_lines as (
    select * from {{ source('classicmodels', 'orderdetails') }}
    {%- if is_partial %}
    where order_number in (select orders_to_compare.order_number from orders_to_compare)
    {%- endif %}
),

raw_orders as (
    select * from {{ source('classicmodels', 'orders') }}
),

raw_products as (
    select * from {{ source('classicmodels', 'products') }}
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
    {%- if is_partial %}
    where order_number in (select orders_to_compare.order_number from orders_to_compare)
    {%- endif %}
),

-- Product lines as raw has them today: the fact's own may be those of an older version.
products as (
    select
        dim_products.product_key,
        raw_products.product_line
    from {{ ref('dim_products') }} as dim_products
    left join raw_products on dim_products.product_code = raw_products.product_code
),

-- Both sides are added up per product before its product line is looked up: of millions of lines a few thousand rows are left.
expected as (
    select
        raw_lines.product_code,
        date_trunc('month', cast(raw_orders.order_date as timestamp)) as order_month,
        count(*) as line_count,
        sum(raw_lines.quantity_ordered) as quantity_ordered,
        sum(raw_lines.quantity_ordered * raw_lines.price_each) as gross_sales_amount
    from raw_lines
    left join raw_orders on raw_lines.order_number = raw_orders.order_number
    group by raw_lines.product_code, date_trunc('month', cast(raw_orders.order_date as timestamp))
),

found as (
    select
        product_key,
        case when order_date_key > 0 then order_date_key / 100 else -1 end as order_month,
        count(*) as line_count,
        sum(quantity_ordered) as quantity_ordered,
        sum(gross_sales_amount) as gross_sales_amount
    from order_lines
    group by product_key, case when order_date_key > 0 then order_date_key / 100 else -1 end
),

both_sides as (
    select
        raw_products.product_line,
        case
            when to_char(expected.order_month, 'YYYY') between '1901' and '2199' then {{ date_key('expected.order_month') }} / 100
            else -1
        end as order_month,
        expected.line_count,
        expected.quantity_ordered,
        expected.gross_sales_amount
    from expected
    left join raw_products on expected.product_code = raw_products.product_code
    union all
    select
        products.product_line,
        found.order_month,
        -found.line_count as line_count,
        -found.quantity_ordered as quantity_ordered,
        -found.gross_sales_amount as gross_sales_amount
    from found
    left join products on found.product_key = products.product_key
    union all
    select
        'all product lines' as product_line,
        null as order_month,
        (select count(*) from {{ source('classicmodels', 'orderdetails') }})
        - (select count(*) from {{ ref('fct_order_lines') }}) as line_count,
        0 as quantity_ordered,
        0 as gross_sales_amount
)

select
    product_line,
    order_month,
    sum(line_count) as missing_lines,
    sum(quantity_ordered) as missing_quantity,
    sum(gross_sales_amount) as missing_amount
from both_sides
group by product_line, order_month
having
    sum(line_count) <> 0
    or sum(quantity_ordered) <> 0
    or sum(gross_sales_amount) <> 0
