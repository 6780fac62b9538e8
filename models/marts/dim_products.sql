with versions as (
    select * from {{ ref('int_products__versioned') }}
),

product_lines as (
    select * from {{ ref('stg_classicmodels__product_lines') }}
),

order_lines as (
    select * from {{ ref('stg_classicmodels__order_lines') }}
),

mentioned as (
    select distinct product_code from order_lines
),

-- The line of today, beside that of each version; of a product that is gone the last one it had.
current_lines as (
    select
        product_code,
        product_line
    from versions
    where binds_to = cast({{ end_of_time() }} as date)
),

-- Products that order lines mention before they arrive. Their key is the one their first version will have.
inferred as (
    select
        {{ version_key('mentioned.product_code', beginning_of_time()) }} as product_key,
        mentioned.product_code
    from mentioned
    left join versions on mentioned.product_code = versions.product_code
    where versions.product_code is null and mentioned.product_code is not null
),

placeholders as (
    select
        product_key,
        product_code,
        true as is_inferred
    from inferred
    union all
    select
        {{ unknown_key() }} as product_key,
        cast(null as varchar(64)) as product_code,
        false as is_inferred
),

final as (
    select
        cast({{ version_key('versions.product_code', 'versions.valid_from') }} as varchar(32)) as product_key,
        versions.product_code,
        versions.product_name,
        versions.product_line,
        current_lines.product_line as current_product_line,
        coalesce(own_lines.product_line_description, todays_lines.product_line_description) as product_line_description,
        versions.product_scale,
        versions.product_vendor,
        versions.product_description,
        cast(versions.buy_price as numeric(10, 2)) as buy_price,
        cast(versions.list_price as numeric(10, 2)) as list_price,
        false as is_inferred,
        versions.is_current,
        cast(versions.version_number as integer) as version_number,
        versions.valid_from,
        versions.valid_to,
        versions.known_since,
        versions.binds_from,
        versions.binds_to
    from versions
    left join current_lines on versions.product_code = current_lines.product_code
    left join product_lines as own_lines on versions.product_line = own_lines.product_line
    left join product_lines as todays_lines on current_lines.product_line = todays_lines.product_line
    union all
    select
        cast(product_key as varchar(32)) as product_key,
        product_code,
        'Unknown' as product_name,
        'Unknown' as product_line,
        'Unknown' as current_product_line,
        cast(null as varchar(4000)) as product_line_description,
        'Unknown' as product_scale,
        'Unknown' as product_vendor,
        cast(null as varchar(4000)) as product_description,
        cast(null as numeric(10, 2)) as buy_price,
        cast(null as numeric(10, 2)) as list_price,
        is_inferred,
        is_inferred as is_current,
        0 as version_number,
        {{ beginning_of_time() }} as valid_from,
        {{ end_of_time() }} as valid_to,
        cast(null as timestamp) as known_since,
        cast({{ beginning_of_time() }} as date) as binds_from,
        cast({{ end_of_time() }} as date) as binds_to
    from placeholders
)

select * from final
