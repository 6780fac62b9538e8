with features as (
    select * from {{ ref('ml_customer_features') }}
),

balances as (
    select * from {{ ref('fct_customer_balances') }}
),

receivables as (
    select * from {{ ref('fct_receivables') }}
),

scores as (
    select * from {{ ref('ml_customer_scores') }}
),

-- Among the customers of the day. Equal ones have the same, and who bought nothing has the lowest.
ranks as (
    select
        customer_key,
        customer_number,
        as_of_date_key,
        order_count,
        _loaded_at,
        as_of_date_key = max(as_of_date_key) over () as is_latest,
        count(*) over (partition by as_of_date_key) as customer_count,
        rank() over (partition by as_of_date_key order by recency_days desc) as recency_rank,
        rank() over (partition by as_of_date_key order by orders_last_12_months) as frequency_rank,
        rank() over (partition by as_of_date_key order by gross_sales_last_12_months_amount) as value_rank
    from features
),

fifths as (
    select
        customer_key,
        customer_number,
        as_of_date_key,
        is_latest,
        order_count,
        _loaded_at,
        cast(1 + 5 * (recency_rank - 1) / customer_count as integer) as recency_score,
        cast(1 + 5 * (frequency_rank - 1) / customer_count as integer) as frequency_score,
        cast(1 + 5 * (value_rank - 1) / customer_count as integer) as value_score
    from ranks
),

final as (
    select
        -- keys
        fifths.customer_key,
        fifths.customer_number,
        fifths.as_of_date_key,
        fifths.is_latest,

        -- segment
        fifths.recency_score,
        fifths.frequency_score,
        fifths.value_score,
        cast(
            case
                when fifths.frequency_score >= 4 and fifths.recency_score >= 4 then 'champion'
                when fifths.frequency_score >= 4 and fifths.recency_score <= 2 then 'at risk'
                when fifths.frequency_score >= 4 then 'loyal'
                when fifths.recency_score <= 2 then 'dormant'
                when fifths.order_count = 1 then 'new'
                else 'regular'
            end as varchar(16)
        ) as segment,

        -- score
        scores.repurchase_probability,

        -- flags
        coalesce(balances.is_over_limit, false) as is_over_limit,
        cast(
            coalesce(
                receivables.due_1_to_30_days_amount + receivables.due_31_to_60_days_amount
                + receivables.due_61_to_90_days_amount + receivables.due_over_90_days_amount, 0
            ) as numeric(18, 2)
        ) as overdue_amount,

        -- lineage
        fifths._loaded_at
    from fifths
    left join scores
        on
            fifths.customer_number = scores.customer_number
            and fifths.as_of_date_key = scores.as_of_date_key
    left join balances
        on
            fifths.customer_number = balances.customer_number
            and fifths.as_of_date_key = balances.month_end_date_key
    left join receivables
        on
            fifths.customer_number = receivables.customer_number
            and fifths.as_of_date_key = receivables.month_end_date_key
)

select * from final
