-- An order with several product lines is one order of each.
with sales as (
    select * from {{ ref('fct_order_product_lines') }}
),

orders as (
    select * from {{ ref('fct_order_product_lines') }}
),

{{ metrics_by('product_line', 'varchar(255)') }}

select * from final
