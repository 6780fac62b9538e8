with source as (
    select * from {{ ref('snap_orders') }}
),

renamed as (
    select
        -- keys
        order_number,

        -- attributes
        coalesce(trim(status), 'Unknown') as order_status,

        -- measures
        cast(gross_sales_amount as numeric(18, 2)) as gross_sales_amount,

        -- dates
        order_date,
        dbt_valid_from as valid_from,
        coalesce(dbt_valid_to, {{ end_of_time() }}) as valid_to
    from source
)

select * from renamed
