{#- On-run-end of `dbt source freshness`: how old each stale table is, what is allowed, and what to do. -#}
{% macro report_freshness(results) -%}
    {%- if execute and flags.WHICH == 'freshness' -%}
        {%- for result in results if result.status in ('warn', 'error', 'runtime error') -%}
            {%- set allowed = [] -%}
            {%- for limit, what in [('warn_after', 'warns'), ('error_after', 'fails')] -%}
                {%- set period = result.node.freshness[limit] -%}
                {%- do allowed.append(what ~ ' after ' ~ period.count ~ ' ' ~ period.period ~ 's') -%}
            {%- endfor -%}
            {%- do exceptions.warn(
                result.node.identifier ~ (' landed ' ~ (result.age / 3600) | round(1) ~ ' hours ago' if (result.age or 0) < 1000000000 else ' has never landed')
                ~ '; ' ~ allowed | join(', ') ~ '. Land it (`make run`): the landing says why when it leaves a table out.'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
