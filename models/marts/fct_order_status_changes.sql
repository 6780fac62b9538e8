with versions as (
    select * from {{ ref('stg_classicmodels__order_versions') }}
),

with_status_before as (
    select
        order_number,
        order_status,
        valid_from,
        lag(order_status) over (partition by order_number order by valid_from) as previous_order_status
    from versions
),

final as (
    select
        -- keys
        order_number,
        cast(row_number() over (partition by order_number order by valid_from) as integer) as change_number,
        {{ date_key('valid_from') }} as changed_date_key,

        -- attributes
        cast(previous_order_status as varchar(64)) as previous_order_status,
        cast(order_status as varchar(64)) as order_status,
        valid_from as changed_at
    from with_status_before
    where previous_order_status is null or order_status <> previous_order_status
)

select * from final
