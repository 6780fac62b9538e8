with statuses as (
    select * from {{ ref('order_statuses') }}
),

orders as (
    select * from {{ ref('stg_classicmodels__orders') }}
),

-- A status nobody has described yet counts as an open sale until the seed says otherwise.
undescribed as (
    select distinct orders.order_status
    from orders
    left join statuses on orders.order_status = statuses.order_status
    where statuses.order_status is null
),

final as (
    select
        cast(order_status as varchar(64)) as order_status,
        cast(sort_order as integer) as sort_order,
        is_open,
        is_counted_as_sale,
        cast(reason as varchar(512)) as reason,
        true as is_described
    from statuses
    union all
    select
        cast(order_status as varchar(64)) as order_status,
        98 as sort_order,
        true as is_open,
        true as is_counted_as_sale,
        cast('Not described in the seed order_statuses; treated as an open sale.' as varchar(512)) as reason,
        false as is_described
    from undescribed
    where order_status <> 'Unknown'
    union all
    select
        cast('Unknown' as varchar(64)) as order_status,
        99 as sort_order,
        true as is_open,
        true as is_counted_as_sale,
        cast('Order lines arrived without their order.' as varchar(512)) as reason,
        true as is_described
)

select * from final
