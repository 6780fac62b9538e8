{{ config(materialized='table', post_hook="{{ analyze_table() }}") }}

with versions as (
    select * from {{ ref('stg_classicmodels__order_versions') }}
),

order_statuses as (
    select * from {{ ref('dim_order_statuses') }}
),

final as (
    select
        versions.order_number,
        versions.order_date,
        not coalesce(order_statuses.is_counted_as_sale, true) as is_cancelled,
        versions.gross_sales_amount,
        versions.valid_from,
        versions.valid_to
    from versions
    left join order_statuses on versions.order_status = order_statuses.order_status
)

select * from final
