{#-
    The clock of the whole project is the landing's: AS_OF when it was set, else the time the landing ran.
    dbt asks here for "now" when it closes the version of a deleted row, so that history carries the
    landing's time and a simulated trading day leaves what a real one would have left.
-#}
{% macro default__snapshot_get_time() -%}
    (
        select cast(max(landing_runs.loaded_at) at time zone 'UTC' as timestamp)
        from {{ source('classicmodels', '_landing_runs') }} as landing_runs
    )
{%- endmacro %}

{#- First and last instant of a version without a neighbour. -#}
{% macro beginning_of_time() -%} cast('1900-01-01' as timestamp) {%- endmacro %}

{% macro end_of_time() -%} cast('9999-12-31' as timestamp) {%- endmacro %}
