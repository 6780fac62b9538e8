-- One row per month B, month A, and product line, country or customer: its part of the difference; the largest eight, the rest as one.
with months as (
    select
        year_month,
        min(calendar_year * 12 + calendar_month) as month_number
    from dim_dates
    where date_day is not null
    group by year_month
),

sales as (
    select
        order_month,
        product_line,
        coalesce(customer_country, 'Unknown') as country,
        customer_number,
        max(customer_name) as customer_name,
        sum(net_sales_amount) as sales
    from orders_obt
    where not is_cancelled and order_month between '{{ first_month }}' and '{{ last_month }}'
    group by order_month, product_line, coalesce(customer_country, 'Unknown'), customer_number
),

parts as (
    select
        order_month,
        'line' as kind,
        product_line as part_name,
        cast(null as varchar(255)) as country,
        cast(null as varchar(255)) as customer_name,
        sum(sales) as sales
    from sales
    group by order_month, product_line
    union all
    select
        order_month,
        'country' as kind,
        country as part_name,
        cast(null as varchar(255)) as country,
        cast(null as varchar(255)) as customer_name,
        sum(sales) as sales
    from sales
    group by order_month, country
    union all
    select
        order_month,
        'customer' as kind,
        cast(customer_number as varchar(32)) as part_name,
        max(country) as country,
        max(customer_name) as customer_name,
        sum(sales) as sales
    from sales
    group by order_month, customer_number
),

pairs as (
    select
        month_b.year_month as month_b,
        month_a.year_month as month_a
    from months as month_b
    inner join months as month_a on month_b.month_number - month_a.month_number in (1, 12)
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

differences as (
    select
        sides.month_b,
        sides.month_a,
        parts.kind,
        parts.part_name,
        max(parts.country) as country,
        max(parts.customer_name) as customer_name,
        sum(sides.direction * parts.sales) as difference
    from sides
    inner join parts on sides.order_month = parts.order_month
    group by sides.month_b, sides.month_a, parts.kind, parts.part_name
),

ranked as (
    select
        month_b,
        month_a,
        kind,
        part_name,
        country,
        customer_name,
        difference,
        row_number() over (partition by month_b, month_a, kind order by abs(difference) desc, part_name asc) as place
    from differences
)

select
    month_b,
    month_a,
    kind,
    least(place, 9) as place,
    max(case when place <= 8 then part_name end) as part_name,
    max(case when place <= 8 then country end) as country,
    max(case when place <= 8 then customer_name end) as customer_name,
    count(*) as part_count,
    sum(case when difference > 0 then 1 else 0 end) as rose_count,
    sum(difference) as difference
from ranked
group by month_b, month_a, kind, least(place, 9)
order by month_b, month_a, kind, least(place, 9)
