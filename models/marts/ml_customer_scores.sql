with scores as (
    select * from {{ ref('stg_predictions__scores') }}
),

features as (
    select * from {{ ref('ml_customer_features') }}
),

final as (
    select
        -- keys
        features.customer_key,
        scores.customer_number,
        scores.as_of_date_key,
        scores.model_id,

        -- measures
        scores.repurchase_probability,

        -- what came of it
        features.is_label_known,
        features.bought_in_next_90_days,

        -- dates
        scores.scored_at
    from scores
    -- Who has no features any more, such as an erased person, has no score.
    inner join features
        on
            scores.customer_number = features.customer_number
            and scores.as_of_date_key = features.as_of_date_key
)

select * from final
