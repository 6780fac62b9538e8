{#-
    Fails for every foreign key that its dimension does not have, and for every empty one. One scan of the fact for all its keys, where
    a `relationships` test each would scan it once per key.
    Arguments: {column: to}, or {column: [to, field]} where the dimension calls its key otherwise.
-#}
{% test foreign_keys_resolve(model, keys) %}
with fact as (
    select
        {{ keys | join(',\n        ') }}
    from {{ model }}
)
{%- for key, to in keys.items() %},

dimension_{{ loop.index }} as (
    select {{ to[1] if to is sequence and to is not string and to is not mapping and to | length == 2 else key }} as dimension_key
    from {{ to[0] if to is sequence and to is not string and to is not mapping and to | length == 2 else to }}
)
{%- endfor %}

select fact.*
from fact
{%- for key in keys %}
left join dimension_{{ loop.index }} on fact.{{ key }} = dimension_{{ loop.index }}.dimension_key
{%- endfor %}
where
    {%- for key in keys %}
    {{ 'or ' if not loop.first }}dimension_{{ loop.index }}.dimension_key is null
    {%- endfor %}
{% endtest %}
