{%- set spelled_otherwise = {} -%}
{#- MySQL takes 's10_1678 ' for 'S10_1678', also in a foreign key: what is meant is there, under another spelling. -#}
{%- for column, table_name in {'product_code': 'products', 'product_line': 'productlines', 'office_code': 'offices'}.items() -%}
    {%- set there = source('classicmodels', table_name) ~ ' as originals' -%}
    {%- do spelled_otherwise.update({column:
        column ~ ' not in (select originals.' ~ column ~ ' from ' ~ there ~ ') and lower(trim(' ~ column
        ~ ')) in (select lower(trim(originals.' ~ column ~ ')) from ' ~ there ~ ')'
    }) -%}
{%- endfor -%}
{#- By table: how a row is named, and its rules as (rule, column, condition, what the models do with it). -#}
{%- set tables = {
    'customers': ['cast(customer_number as varchar(32))', [
        ('value_is_missing', 'customer_name', 'customer_name is null', 'shown as Unknown'),
        ('value_is_missing', 'city', 'city is null', 'shown as Unknown'),
        ('value_is_missing', 'country', 'country is null', 'shown as Unknown'),
    ]],
    'employees': ['cast(employee_number as varchar(32))', [
        ('value_is_missing', 'first_name', 'first_name is null', 'shown as Unknown'),
        ('value_is_missing', 'last_name', 'last_name is null', 'shown as Unknown'),
        ('value_is_missing', 'job_title', 'job_title is null', 'shown as Unknown'),
        ('key_is_spelled_otherwise', 'office_code', spelled_otherwise.office_code, 'another, inferred office'),
    ]],
    'offices': ['cast(office_code as varchar(32))', [
        ('value_is_missing', 'city', 'city is null', 'shown as Unknown'),
        ('value_is_missing', 'country', 'country is null', 'shown as Unknown'),
        ('value_is_missing', 'territory', 'territory is null', 'shown as Unknown'),
    ]],
    'products': ['cast(product_code as varchar(64))', [
        ('value_is_missing', 'product_name', 'product_name is null', 'shown as Unknown'),
        ('value_is_missing', 'product_line', 'product_line is null', 'shown as Unknown'),
        ('value_is_missing', 'product_scale', 'product_scale is null', 'shown as Unknown'),
        ('value_is_missing', 'product_vendor', 'product_vendor is null', 'shown as Unknown'),
        ('value_is_missing', 'buy_price', 'buy_price is null', 'no cost and margin'),
        ('value_is_missing', 'msrp', 'msrp is null', 'no list amount and discount'),
        ('key_is_spelled_otherwise', 'product_line', spelled_otherwise.product_line, 'another product line'),
        ('price_is_negative', 'buy_price', 'buy_price < 0', 'kept'),
        ('price_has_more_than_cents', 'buy_price', 'buy_price <> round(buy_price, 2)', 'rounded'),
        ('price_has_more_than_cents', 'msrp', 'msrp <> round(msrp, 2)', 'rounded'),
    ]],
    'orders': ['cast(order_number as varchar(32))', [
        ('value_is_missing', 'customer_number', 'customer_number is null', 'shown as Unknown'),
        ('value_is_missing', 'status', 'status is null', 'shown as Unknown'),
        ('date_is_missing', 'order_date', 'order_date is null', 'in no month'),
        ('date_is_missing', 'required_date', 'required_date is null', 'never late'),
        ('date_is_no_day', 'order_date', 'not (' ~ is_a_day('order_date') ~ ')', 'in no month'),
        ('date_is_no_day', 'required_date', 'not (' ~ is_a_day('required_date') ~ ')', 'never late'),
        ('date_is_no_day', 'shipped_date', 'not (' ~ is_a_day('shipped_date') ~ ')', 'no days to ship'),
        ('date_is_after_the_landing', 'order_date', 'order_date > landing_date and ' ~ is_a_day('order_date'), 'in no month end before its own'),
        ('date_is_after_the_landing', 'shipped_date', 'shipped_date > landing_date and ' ~ is_a_day('shipped_date'), 'kept'),
        ('shipped_before_ordered', 'shipped_date', 'shipped_date < order_date and ' ~ is_a_day('shipped_date'), 'no days to ship'),
        ('required_before_ordered', 'required_date', 'required_date < order_date and ' ~ is_a_day('required_date'), 'kept'),
    ]],
    'orderdetails': ["cast(order_number as varchar(32)) || '/' || cast(product_code as varchar(64))", [
        ('value_is_missing', 'quantity_ordered', 'quantity_ordered is null', 'counted as 0'),
        ('value_is_missing', 'price_each', 'price_each is null', 'counted as 0'),
        ('key_is_spelled_otherwise', 'product_code', spelled_otherwise.product_code, 'another, inferred product'),
        ('quantity_is_zero', 'quantity_ordered', 'quantity_ordered = 0', 'kept'),
        ('price_is_negative', 'price_each', 'price_each < 0', 'kept'),
        ('price_has_more_than_cents', 'price_each', 'price_each <> round(price_each, 2)', 'rounded'),
    ]],
    'payments': [surrogate_key(['customer_number', 'check_number']) | replace('\n', ''), [
        ('value_is_missing', 'amount', 'amount is null', 'counted as 0'),
        ('date_is_missing', 'payment_date', 'payment_date is null', 'in no month'),
        ('date_is_no_day', 'payment_date', 'not (' ~ is_a_day('payment_date') ~ ')', 'in no month'),
        ('date_is_after_the_landing', 'payment_date', 'payment_date > landing_date and ' ~ is_a_day('payment_date'), 'in no month end before its own'),
        ('price_has_more_than_cents', 'amount', 'amount <> round(amount, 2)', 'rounded'),
    ]],
} -%}

with landing as (
    select cast(max(loaded_at at time zone 'UTC') as date) as landing_date
    from {{ source('classicmodels', '_landing_runs') }}
),
{%- for table_name, (row_key, rules) in tables.items() %}

-- One scan for all rules of a table.
{{ table_name }} as (
    select
        rows_landed.*,
        {{ row_key }} as row_key,
        landing.landing_date
    from {{ source('classicmodels', table_name) }} as rows_landed
    cross join landing
    where
        {%- for _, _, condition, _ in rules %}
        {{ 'or ' if not loop.first }}({{ condition }})
        {%- endfor %}
),
{%- endfor %}

not_landed as (
    select * from {{ source('classicmodels', '_landing_exceptions') }}
)

{% for table_name, (_, rules) in tables.items() -%}
{%- for rule_name, column_name, condition, outcome in rules -%}
select
    '{{ rule_name }}' as rule_name,
    '{{ table_name }}' as table_name,
    '{{ column_name }}' as column_name,
    row_key,
    '{{ outcome }}' as outcome,
    cast(_loaded_at at time zone 'UTC' as timestamp) as landed_at
from {{ table_name }}
where {{ condition }}
union all
{% endfor -%}
{%- endfor -%}
select
    'value_could_not_land' as rule_name,
    table_name,
    column_name,
    -- A key may be a person's: plain only where it is a number or code of the shop's own.
    case
        when table_name in ('{{ tables.keys() | reject('equalto', 'payments') | join("', '") }}') then row_key
        else md5(row_key)
    end as row_key,
    'missing' as outcome,
    cast(loaded_at at time zone 'UTC' as timestamp) as landed_at
from not_landed
