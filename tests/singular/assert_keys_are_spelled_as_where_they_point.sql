{{ config(severity='warn', meta={'dimension': 'validity'}) }}
-- MySQL takes 's10_1678' and 'S10_1678 ' for the code 'S10_1678', also in a foreign key. Here these are other codes, whose sales would be
-- those of a product that has not arrived. It warns; source_exceptions names the rows. Spell them in the source as the row they point
-- to has them.
with spellings as (
    select
        'product' as kind,
        product_code as spelled,
        not is_inferred as is_there
    from {{ ref('dim_products') }}
    union all
    select
        'office' as kind,
        office_code as spelled,
        not is_inferred as is_there
    from {{ ref('dim_offices') }}
    union all
    select
        'order status' as kind,
        order_status as spelled,
        is_described as is_there
    from {{ ref('dim_order_statuses') }}
    union all
    select
        'product line' as kind,
        product_line as spelled,
        true as is_there
    from {{ ref('stg_classicmodels__product_lines') }}
    union all
    select
        'product line' as kind,
        product_line as spelled,
        false as is_there
    from {{ ref('stg_classicmodels__products') }}
    where dbt_valid_to is null and product_line <> 'Unknown'
)

select distinct
    found.kind,
    found.spelled,
    originals.spelled as spelled_where_it_points
from spellings as found
inner join spellings as originals on found.kind = originals.kind and lower(trim(found.spelled)) = lower(trim(originals.spelled))
where not found.is_there and originals.is_there and found.spelled <> originals.spelled
