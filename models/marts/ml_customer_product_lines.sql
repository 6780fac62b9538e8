with order_lines as (
    select * from {{ ref('fct_order_lines') }}
),

orders as (
    select * from {{ ref('int_orders__bound') }}
    where
        customer_number is not null
        and order_date is not null
        and customer_number not in ({{ erased_customers() }})
),

products as (
    select * from {{ ref('dim_products') }}
),

sales as (
    select
        orders.customer_number,
        {{ month_end('orders.order_date') }} as month_end_date,
        coalesce(products.current_product_line, 'Unknown') as product_line,
        sum(order_lines.gross_sales_amount) as gross_sales_amount
    from order_lines
    inner join orders on order_lines.order_number = orders.order_number
    left join products on order_lines.product_key = products.product_key
    group by
        orders.customer_number,
        {{ month_end('orders.order_date') }},
        coalesce(products.current_product_line, 'Unknown')
),

months as (
    select
        customer_number,
        month_end_date,
        lead(month_end_date) over (partition by customer_number order by month_end_date) as next_month_end_date
    from sales
    group by customer_number, month_end_date
),

first_sales as (
    select
        customer_number,
        product_line,
        min(month_end_date) as month_end_date
    from sales
    group by customer_number, product_line
),

-- A product line is in each of the customer's months from its first sale on.
sales_so_far as (
    select
        months.customer_number,
        months.month_end_date,
        months.next_month_end_date,
        first_sales.product_line,
        sum(coalesce(sales.gross_sales_amount, 0)) over (
            partition by months.customer_number, first_sales.product_line
            order by months.month_end_date rows unbounded preceding
        ) as gross_sales_amount
    from months
    inner join first_sales
        on
            months.customer_number = first_sales.customer_number
            and months.month_end_date >= first_sales.month_end_date
    left join sales
        on
            months.customer_number = sales.customer_number
            and months.month_end_date = sales.month_end_date
            and first_sales.product_line = sales.product_line
),

final as (
    select
        -- keys
        customer_number,
        {{ date_key('month_end_date') }} as holds_from_date_key,
        coalesce({{ date_key('next_month_end_date') }}, {{ not_yet_date_key() }}) as holds_to_date_key,
        product_line,

        -- measures
        cast(gross_sales_amount as numeric(18, 2)) as gross_sales_amount,
        cast(
            gross_sales_amount / nullif(sum(gross_sales_amount) over (partition by customer_number, month_end_date), 0) as numeric(9, 6)
        ) as gross_sales_share
    from sales_so_far
)

select * from final
