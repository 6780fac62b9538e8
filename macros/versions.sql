{#-
    The columns that turn the rows of a snapshot into versions.

    known_since      the landing that first showed this version
    valid_from/to    the version's life; the first one opens at the beginning of time ("else the first known one")
    binds_from/to    the days [from, to) whose facts belong to it: no gaps and no overlaps. A version that another
                     one replaced on the day it came binds no day; a deleted member's last version binds all later ones.
-#}
{% macro version_columns(natural_key) -%}
    dbt_valid_from as known_since,
    row_number() over (partition by {{ natural_key }} order by dbt_valid_from) as version_number,
    case
        when row_number() over (partition by {{ natural_key }} order by dbt_valid_from) = 1
            then {{ beginning_of_time() }}
        else dbt_valid_from
    end as valid_from,
    coalesce(dbt_valid_to, {{ end_of_time() }}) as valid_to,
    dbt_valid_to is null as is_current,
    case
        when row_number() over (partition by {{ natural_key }} order by dbt_valid_from) = 1
            then cast({{ beginning_of_time() }} as date)
        else cast(dbt_valid_from as date)
    end as binds_from,
    coalesce(
        cast(lead(dbt_valid_from) over (partition by {{ natural_key }} order by dbt_valid_from) as date),
        cast({{ end_of_time() }} as date)
    ) as binds_to
{%- endmacro %}
