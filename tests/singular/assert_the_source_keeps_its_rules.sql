{{ config(severity='warn', meta={'dimension': 'validity'}) }}
-- Rows of the source that break a rule of the source are rows of source_exceptions. The build goes on; its last lines name the first keys.
select
    rule_name,
    table_name,
    row_key
from {{ ref('source_exceptions') }}
where not is_stopping
