-- One row per value of each attribute, and per pair of values of two. An order of two product lines counts once in each, and once in all.
{%- set names = ["order_month", "order_quarter", "order_year", "country", "territory", "office", "representative", "status"] %}
{%- set measures = ["net_sales_amount", "gross_sales_amount", "margin_amount", "quantity_ordered"]
    + ["order_count", "shipped_count", "late_count"] %}
{%- set attributes, sums, pairs = names | join(",\n    "), [], [] %}
{%- for measure in measures %}{% set _ = sums.append("sum(" ~ measure ~ ") as " ~ measure) %}{% endfor %}
{%- for first in names %}
{%- for second in names[loop.index0:] %}{% set _ = pairs.append("(" ~ ([first, second] | unique | join(", ")) ~ ")") %}
{%- endfor %}
{%- endfor %}
{%- set sums, pairs = sums | join(",\n    "), pairs | join(",\n    ") %}
with months as (
    select distinct
        year_month,
        year_quarter,
        cast(calendar_year as varchar(4)) as calendar_year
    from dim_dates
    where date_day is not null
),

lines as (
    select
        fct_order_product_lines.order_number,
        fct_order_product_lines.product_line,
        fct_order_product_lines.order_month,
        months.year_quarter as order_quarter,
        months.calendar_year as order_year,
        fct_orders.order_status as status,
        coalesce(fct_order_product_lines.customer_country, 'Unknown') as country,
        coalesce(dim_offices.territory, 'none') as territory,
        coalesce(dim_offices.city, 'none') as office,
        coalesce(cast(dim_employees.employee_number as varchar(32)), 'none') as representative,
        fct_order_product_lines.net_sales_amount,
        fct_order_product_lines.gross_sales_amount,
        fct_order_product_lines.net_margin_amount as margin_amount,
        case when fct_orders.is_cancelled then 0 else fct_order_product_lines.quantity_ordered end as quantity_ordered,
        case when fct_orders.is_cancelled then 0 else 1 end as order_count,
        case when fct_orders.is_cancelled or fct_order_product_lines.days_to_ship is null then 0 else 1 end as shipped_count,
        case when not fct_orders.is_cancelled and fct_order_product_lines.is_late then 1 else 0 end as late_count
    from fct_order_product_lines
    inner join fct_orders on fct_order_product_lines.order_number = fct_orders.order_number
    inner join months on fct_order_product_lines.order_month = months.year_month
    left join dim_offices on fct_order_product_lines.office_key = dim_offices.office_key
    left join dim_employees on fct_order_product_lines.sales_rep_employee_key = dim_employees.employee_key
    where fct_order_product_lines.order_month between '{{ first_month }}' and '{{ last_month }}'
),

whole_orders as (
    select
        order_number,
        {{ attributes }},
        sum(net_sales_amount) as net_sales_amount,
        sum(gross_sales_amount) as gross_sales_amount,
        sum(margin_amount) as margin_amount,
        sum(quantity_ordered) as quantity_ordered,
        max(order_count) as order_count,
        max(shipped_count) as shipped_count,
        max(late_count) as late_count
    from lines
    group by order_number, {{ attributes }}
)

select
    product_line,
    {{ attributes }},
    {{ sums }}
from lines
group by grouping sets ((product_line), (product_line, {{ names | join("), (product_line, ") }}))
union all
select
    cast(null as varchar(255)) as product_line,
    {{ attributes }},
    {{ sums }}
from whole_orders
group by grouping sets (
    {{ pairs }}
)
