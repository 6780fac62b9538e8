with source as (
    select * from {{ source('predictions', 'scores') }}
),

renamed as (
    select
        -- keys
        customer_number,
        as_of_date_key,

        -- attributes
        model_id,

        -- measures
        repurchase_probability,

        -- dates
        cast(scored_at at time zone 'UTC' as timestamp) as scored_at
    from source
)

select * from renamed
