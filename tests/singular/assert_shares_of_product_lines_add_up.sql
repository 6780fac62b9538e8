{{ config(meta={'dimension': 'accuracy'}) }}
-- Whoever has features on a day has shares of product lines that hold on it, and these add up to 1, or to nothing when nothing was sold.
-- The amounts behind them are all booked sales so far.
with shares as (
    select
        features.customer_number,
        features.as_of_date_key,
        features.gross_sales_amount,
        sum(product_lines.gross_sales_amount) as gross_sales_amount_by_line,
        sum(product_lines.gross_sales_share) as gross_sales_share
    from {{ ref('ml_customer_features') }} as features
    left join {{ ref('ml_customer_product_lines') }} as product_lines
        on
            features.customer_number = product_lines.customer_number
            and features.as_of_date_key >= product_lines.holds_from_date_key
            and features.as_of_date_key < product_lines.holds_to_date_key
    group by features.customer_number, features.as_of_date_key, features.gross_sales_amount
)

select
    customer_number,
    as_of_date_key
from shares
where
    gross_sales_amount <> coalesce(gross_sales_amount_by_line, 0)
    or coalesce(gross_sales_share, 0) not between case when gross_sales_amount = 0 then -0.001 else 0.999 end and 1.001
