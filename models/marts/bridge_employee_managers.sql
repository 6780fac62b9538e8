{#- Deeper lines than this fail the test assert_no_line_of_management_is_cut_short. -#}
{%- set levels = 10 -%}
with employees as (
    select * from {{ ref('dim_employees') }}
),

level_0 as (
    select
        employee_key,
        employee_number,
        employee_key as manager_employee_key,
        employee_number as manager_employee_number,
        reports_to_employee_number as next_employee_number,
        -- A closed version keeps the line it had on its last day; the version in force has today's.
        binds_to as as_of_date
    from employees
),
{%- for level in range(1, levels + 1) %}

level_{{ level }} as (
    select
        lower_level.employee_key,
        lower_level.employee_number,
        managers.employee_key as manager_employee_key,
        managers.employee_number as manager_employee_number,
        managers.reports_to_employee_number as next_employee_number,
        lower_level.as_of_date
    from level_{{ level - 1 }} as lower_level
    inner join employees as managers
        on
            lower_level.next_employee_number = managers.employee_number
            and lower_level.as_of_date > managers.binds_from
            and lower_level.as_of_date <= managers.binds_to
),
{%- endfor %}

final as (
    {%- for level in range(levels + 1) %}
    select
        employee_key,
        manager_employee_key,
        employee_number,
        manager_employee_number,
        {{ level }} as depth
    from level_{{ level }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select * from final
