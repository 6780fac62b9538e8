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
)

select * from final
