{#- Fails for every row where the expression is false. Null counts as false: say `is null or` where it may be. -#}
{% test expression_is_true(model, expression, column_name=none) %}
select *
from {{ model }}
where not coalesce({{ column_name if column_name else '' }} {{ expression }}, false)
{% endtest %}
