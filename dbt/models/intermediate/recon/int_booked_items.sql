-- Every money movement that we booked and that a gateway must report: one per succeeded payment and
-- refund, and one for each time that a dispute took money back or returned it.
with journals as (
    select distinct case kind when 'capture' then 'payment' else kind end as kind, source_id, accounting_date
    from {{ ref('int_journal_entries') }}
    where kind in ('payment', 'capture', 'refund')
),

items as (
    select
        captures.item_id,
        'payment' as kind,
        captures.payment_id,
        captures.livemode,
        captures.region,
        captures.merchant_id,
        captures.gateway,
        captures.gateway_account,
        payments.gateway_reference as payment_reference,
        captures.movement_reference,
        captures.movement_merchant_reference,
        captures.currency,
        captures.amount_minor,
        captures.succeeded_at as occurred_at
    from {{ ref('int_captures') }} as captures
    left join {{ ref('stg_payment_succeeded') }} as payments on captures.payment_id = payments.payment_id

    union all

    select
        refunds.refund_id as item_id,
        'refund' as kind,
        refunds.payment_id,
        refunds.livemode,
        refunds.region,
        refunds.merchant_id,
        refunds.gateway,
        refunds.gateway_account,
        payments.gateway_reference as payment_reference,
        refunds.gateway_reference as movement_reference,
        refunds.refund_id as movement_merchant_reference,
        refunds.currency,
        -refunds.amount_minor as amount_minor,
        refunds.succeeded_at as occurred_at
    from {{ ref('stg_refund_succeeded') }} as refunds
    left join {{ ref('stg_payment_succeeded') }} as payments on refunds.payment_id = payments.payment_id
)

select
    items.*,
    coalesce(journals.accounting_date, {{ business_date('items.occurred_at') }}) as booked_on
from items
left join journals on items.kind = journals.kind and items.item_id = journals.source_id
union all
select * from {{ ref('int_dispute_movements') }}
