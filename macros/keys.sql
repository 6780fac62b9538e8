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

{#- Key of a day in dim_dates; what is no day, such as 9999-12-31 for "never", has that member's. -#}
{% macro date_key(day) -%}
    case
        when {{ is_a_day(day) }} then cast(to_char(cast({{ day }} as timestamp), 'YYYYMMDD') as integer)
        when {{ day }} is not null then {{ sentinel_date_key() }}
    end
{%- endmacro %}

{#- Whether a date is a day that something can have happened on, or will, and not a mark for "never" or "long ago". -#}
{% macro is_a_day(day) -%}
    {{ day }} >= cast('1901-01-01' as date) and {{ day }} < cast('2200-01-01' as date)
{%- endmacro %}

{#- The day whose versions of dimensions a fact belongs to; one without a day belongs to the first ones. -#}
{% macro binding_day(day) -%}
    case when {{ is_a_day(day) }} then {{ day }} else cast({{ beginning_of_time() }} as date) end
{%- endmacro %}

{#- Key in dim_dates of a date that is no day. -#}
{% macro sentinel_date_key() -%} -2 {%- endmacro %}

{#- Key of "Unknown" in dim_dates. -#}
{% macro unknown_date_key() -%} -1 {%- endmacro %}

{#- Key of "not yet" in dim_dates: later than every day, so `shipped_date_key <= 20050531` leaves it out. -#}
{% macro not_yet_date_key() -%} 99991231 {%- endmacro %}
