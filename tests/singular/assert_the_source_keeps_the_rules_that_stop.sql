{{ config(meta={'dimension': 'validity'}) }}
-- The same for the rules that vars.rules_that_stop names: the build ends red.
select
    rule_name,
    table_name,
    row_key
from {{ ref('source_exceptions') }}
where is_stopping
