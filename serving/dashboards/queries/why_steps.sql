-- One row per month B and month A it is compared with: the difference of net sales, step by step. N orders, Q pieces, S net sales.
with months as (
    select
        year_month,
        min(calendar_year * 12 + calendar_month) as month_number
    from dim_dates
    where date_day is not null
    group by year_month
),

products as (
    select
        orders_obt.order_month,
        orders_obt.product_code,
        sum(orders_obt.quantity_ordered) as pieces,
        sum(orders_obt.net_sales_amount) as sales
    from orders_obt
    where not orders_obt.is_cancelled
    group by orders_obt.order_month, orders_obt.product_code
),

customers as (
    select
        dim_dates.year_month as order_month,
        dim_customers.customer_number,
        count(*) as order_count,
        sum(fct_orders.net_sales_amount) as sales,
        min(min(dim_dates.year_month)) over (partition by dim_customers.customer_number) as first_month
    from fct_orders
    inner join dim_dates on fct_orders.order_date_key = dim_dates.date_key
    left join dim_customers on fct_orders.customer_key = dim_customers.customer_key
    where not fct_orders.is_cancelled and dim_dates.date_day is not null
    group by dim_dates.year_month, dim_customers.customer_number
),

pieces as (
    select
        order_month,
        sum(pieces) as pieces
    from products
    group by order_month
),

totals as (
    select
        customers.order_month,
        months.month_number,
        pieces.pieces,
        sum(customers.order_count) as order_count,
        sum(customers.sales) as sales
    from customers
    inner join months on customers.order_month = months.year_month
    inner join pieces on customers.order_month = pieces.order_month
    where customers.order_month between '{{ first_month }}' and '{{ last_month }}'
    group by customers.order_month, months.month_number, pieces.pieces
),

pairs as (
    select
        month_b.order_month as month_b,
        month_a.order_month as month_a,
        case when month_b.month_number - month_a.month_number = 1 then 'month' else 'year' end as compared_with,
        month_a.sales as sales_a,
        month_b.sales as sales_b,
        month_a.order_count as orders_a,
        month_b.order_count as orders_b,
        month_a.pieces as pieces_a,
        month_b.pieces as pieces_b
    from totals as month_b
    inner join totals as month_a on month_b.month_number - month_a.month_number in (1, 12)
    where month_a.order_count > 0 and month_a.pieces > 0
),

prices as (
    select
        pairs.month_b,
        pairs.month_a,
        sum(product_b.sales - product_b.pieces * product_a.sales / nullif(product_a.pieces, 0)) as price
    from pairs
    inner join products as product_b on pairs.month_b = product_b.order_month
    inner join products as product_a
        on pairs.month_a = product_a.order_month and product_b.product_code = product_a.product_code
    group by pairs.month_b, pairs.month_a
),

sides as (
    select
        month_b,
        month_a,
        month_b as order_month,
        1 as direction
    from pairs
    union all
    select
        month_b,
        month_a,
        month_a as order_month,
        -1 as direction
    from pairs
),

-- What a customer bought in B and in A: in one of them, or in both.
moves as (
    select
        sides.month_b,
        sides.month_a,
        customers.customer_number,
        min(customers.first_month) as first_month,
        min(customers.order_month) as earlier,
        max(customers.order_month) as later,
        sum(sides.direction * customers.sales) as difference
    from sides
    inner join customers on sides.order_month = customers.order_month
    group by sides.month_b, sides.month_a, customers.customer_number
),

kinds as (
    select
        month_b,
        month_a,
        difference,
        case
            when later = month_a then 'gone' when earlier = month_a then 'both' when first_month = month_b then 'new' else 'back'
        end as kind
    from moves
),

behaviour as (
    select
        month_b,
        month_a,
        sum(case when kind = 'new' then difference else 0 end) as new_amount,
        sum(case when kind = 'new' then 1 else 0 end) as new_count,
        sum(case when kind = 'back' then difference else 0 end) as back_amount,
        sum(case when kind = 'back' then 1 else 0 end) as back_count,
        sum(case when kind = 'both' then difference else 0 end) as both_amount,
        sum(case when kind = 'both' then 1 else 0 end) as both_count,
        sum(case when kind = 'gone' then difference else 0 end) as gone_amount,
        sum(case when kind = 'gone' then 1 else 0 end) as gone_count
    from kinds
    group by month_b, month_a
)

select
    pairs.month_b,
    pairs.compared_with,
    pairs.month_a,
    pairs.sales_a,
    pairs.sales_b,
    pairs.orders_a,
    pairs.orders_b,
    pairs.pieces_a,
    pairs.pieces_b,
    round((pairs.orders_b - pairs.orders_a) * pairs.sales_a / pairs.orders_a, 2) as orders_amount,
    round((pairs.pieces_b - cast(pairs.pieces_a as numeric(38, 10)) * pairs.orders_b / pairs.orders_a) * pairs.sales_a / pairs.pieces_a, 2)
        as size_amount,
    round(coalesce(prices.price, 0), 2) as price_amount,
    behaviour.new_amount,
    behaviour.new_count,
    behaviour.back_amount,
    behaviour.back_count,
    behaviour.both_amount,
    behaviour.both_count,
    behaviour.gone_amount,
    behaviour.gone_count
from pairs
inner join behaviour on pairs.month_b = behaviour.month_b and pairs.month_a = behaviour.month_a
left join prices on pairs.month_b = prices.month_b and pairs.month_a = prices.month_a
order by pairs.month_b, pairs.compared_with
