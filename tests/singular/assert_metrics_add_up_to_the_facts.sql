{{ config(meta={'dimension': 'accuracy'}) }}
-- Every mart metrics_by_* holds all sales and costs of fct_order_lines and, where an order is in one row, all orders. What is owed is
-- that of fct_customer_balances: month by month, and by country at the last one.
{%- set amounts = ['gross_sales_amount', 'net_sales_amount', 'quantity_ordered', 'margin_amount', 'net_cost_amount', 'net_margin_amount'] %}
{%- set orders_once = ['month', 'country', 'sales_rep', 'office', 'territory'] %}
with order_lines as (
    select
        {%- for amount in amounts %}
        coalesce(sum({{ amount }}), 0) as {{ amount }},
        {%- endfor %}
        coalesce(max(quantity_ordered), 0) as largest_quantity_ordered
    from {{ ref('fct_order_lines') }}
),

orders as (
    select
        count(*) as order_count,
        count(case when not is_cancelled then 1 end) as kept_order_count
    from {{ ref('fct_orders') }}
),

{% for name in orders_once + ['product_line', 'product'] -%}
by_{{ name }} as (
    select
        {%- for amount in amounts %}
        coalesce(sum({{ amount }}), 0) as {{ amount }},
        {%- endfor %}
        coalesce(max(largest_quantity_ordered), 0) as largest_quantity_ordered,
        coalesce(sum(order_count), 0) as order_count,
        coalesce(sum(kept_order_count), 0) as kept_order_count
    from {{ ref('metrics_by_' ~ name) }}
),

{% endfor -%}
balances as (
    select
        month_end_date_key,
        sum(outstanding_amount) as outstanding_amount
    from {{ ref('fct_customer_balances') }}
    group by month_end_date_key
),

balances_by_month as (
    select
        dates.year_month,
        balances.outstanding_amount
    from balances
    inner join {{ ref('dim_dates') }} as dates on balances.month_end_date_key = dates.date_key
),

last_balance as (
    select coalesce(sum(outstanding_amount), 0) as outstanding_amount
    from balances
    where month_end_date_key in (select max(all_balances.month_end_date_key) from balances as all_balances)
),

country_balance as (
    select coalesce(sum(outstanding_amount), 0) as outstanding_amount
    from {{ ref('metrics_by_country') }}
)

{% for name in orders_once + ['product_line', 'product'] -%}
select 'metrics_by_{{ name }}' as mart
from by_{{ name }} as found
cross join order_lines
cross join orders
where
    found.largest_quantity_ordered <> order_lines.largest_quantity_ordered
    {%- for amount in amounts %}
    or found.{{ amount }} <> order_lines.{{ amount }}
    {%- endfor %}
    {%- if name in orders_once %}
    or found.order_count <> orders.order_count
    or found.kept_order_count <> orders.kept_order_count
    {%- endif %}
union all
{% endfor -%}
select 'metrics_by_month, what is owed in ' || coalesce(balances_by_month.year_month, by_month.year_month) as mart
from balances_by_month
full outer join {{ ref('metrics_by_month') }} as by_month on balances_by_month.year_month = by_month.year_month
where coalesce(balances_by_month.outstanding_amount, 0) <> coalesce(by_month.outstanding_amount, 0)
union all
select 'metrics_by_country, what is owed' as mart
from country_balance
cross join last_balance
where country_balance.outstanding_amount <> last_balance.outstanding_amount
