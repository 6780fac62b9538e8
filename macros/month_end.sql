{#- Last day of the month a day is in. -#}
{% macro month_end(day) -%}
    cast(date_trunc('month', cast({{ day }} as timestamp)) + interval '1 month' - interval '1 day' as date)
{%- endmacro %}
