{{ config(meta={'dimension': 'completeness'}) }}
-- Nobody has as many managers above them as the bridge has levels (10): whoever had more would be cut short.
select employee_number
from {{ ref('bridge_employee_managers') }}
where depth >= 10
