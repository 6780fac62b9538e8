{{ config(meta={'dimension': 'accuracy'}) }}
-- Cost and list amount of a line are its pieces times the prices of the product's version in dim_products, and empty where that has none.
-- Prices of today's version are those of raw: another test holds them.
select
    order_lines.order_number,
    order_lines.order_line_number
from {{ ref('fct_order_lines') }} as order_lines
inner join {{ ref('dim_products') }} as products on order_lines.product_key = products.product_key
where
    {{ is_changed('order_lines.order_number') }}
    and (
        coalesce(order_lines.cost_amount <> order_lines.quantity_ordered * products.buy_price, false)
        or coalesce(order_lines.list_amount <> order_lines.quantity_ordered * products.list_price, false)
        or (order_lines.cost_amount is null) <> (products.buy_price is null)
        or (order_lines.list_amount is null) <> (products.list_price is null)
    )
