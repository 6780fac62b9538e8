-- One row per employee: current name, title, office, the manager, customers now, and all who report to them at any depth.
with teams as (
    select
        bridge_employee_managers.manager_employee_number,
        bridge_employee_managers.employee_number
    from bridge_employee_managers
    inner join dim_employees on bridge_employee_managers.employee_key = dim_employees.employee_key
    where dim_employees.is_current and bridge_employee_managers.depth > 0
),

customers as (
    select
        sales_rep_employee_number,
        count(*) as customer_count
    from dim_customers
    where is_current and sales_rep_employee_number is not null
    group by sales_rep_employee_number
)

select
    dim_employees.employee_number,
    dim_employees.full_name,
    dim_employees.job_title,
    dim_offices.city as office_city,
    dim_employees.reports_to_employee_number,
    teams.employee_number as team_member,
    coalesce(customers.customer_count, 0) as customer_count
from dim_employees
left join dim_offices on dim_employees.office_key = dim_offices.office_key
left join customers on dim_employees.employee_number = customers.sales_rep_employee_number
left join teams on dim_employees.employee_number = teams.manager_employee_number
where dim_employees.is_current and dim_employees.employee_number is not null
order by dim_employees.employee_number, teams.employee_number
