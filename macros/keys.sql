{#- md5 of the columns' texts; a null is told apart from an empty text. The same value gives the same key on every warehouse. -#}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
            {{- " || '-|-' || " if not loop.first }}coalesce(cast({{ column }} as varchar(1024)), '_null_')
        {%- endfor -%}
    )
{%- endmacro %}

{#- Key of one version in a type 2 dimension: natural key and the instant the version opens. -#}
{% macro version_key(natural_key, valid_from='valid_from') -%}
    {{ surrogate_key([natural_key, "to_char(" ~ valid_from ~ ", 'YYYY-MM-DD HH24:MI:SS.US')"]) }}
{%- endmacro %}

{#- Key of the Unknown member that every dimension has. -#}
{% macro unknown_key() -%} '-1' {%- endmacro %}

{% macro date_key(day) -%}
    cast(to_char(cast({{ day }} as timestamp), 'YYYYMMDD') as integer)
{%- endmacro %}

{#- Key of "Unknown" in dim_dates. -#}
{% macro unknown_date_key() -%} -1 {%- endmacro %}

{#- Key of "not yet" in dim_dates: later than every day, so `shipped_date_key <= 20050531` leaves it out. -#}
{% macro not_yet_date_key() -%} 99991231 {%- endmacro %}
