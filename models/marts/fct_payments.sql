{{
    config(
        materialized='incremental',
        unique_key='payment_key',
        pre_hook="{{ delete_deleted_payments() }}",
    )
}}

with payments as (
    select * from {{ ref('stg_classicmodels__payments') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

joined as (
    select
        payments.customer_number,
        payments.check_number,
        coalesce(customers.customer_key, {{ unknown_key() }}) as customer_key,
        payments.payment_date,
        payments.payment_amount,
        greatest(payments._loaded_at, customers.known_since) as _loaded_at
    from payments
    left join customers
        on
            payments.customer_number = customers.customer_number
            and {{ binding_day('payments.payment_date') }} >= customers.binds_from
            and {{ binding_day('payments.payment_date') }} < customers.binds_to
),

final as (
    select
        -- keys
        cast({{ surrogate_key(['customer_number', 'check_number']) }} as varchar(32)) as payment_key,
        cast(customer_key as varchar(32)) as customer_key,
        check_number,
        coalesce({{ date_key('payment_date') }}, {{ unknown_date_key() }}) as payment_date_key,

        -- measures
        payment_amount,

        -- lineage
        _loaded_at
    from joined
    {%- if is_incremental() %}
    -- New and changed payments, and those that a new version of their customer has taken over.
    where _loaded_at > {{ watermark() }}
    {%- endif %}
)

select * from final
