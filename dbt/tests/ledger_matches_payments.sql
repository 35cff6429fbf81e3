-- What the ledger booked against gateways = what payments captured and refunds gave back, item by item.
with booked as (
    select livemode, kind, source_id, currency, sum(amount_minor) as amount_minor
    from {{ ref('int_journal_entries') }}
    where account like 'gateway_clearing:%' and kind in ('payment', 'capture', 'refund')
    group by all
),

moved as (
    select
        livemode,
        case when item_id = payment_id then 'payment' else 'capture' end as kind,
        item_id as source_id,
        currency,
        amount_minor
    from {{ ref('int_captures') }}
    union all
    select livemode, 'refund', refund_id, currency, -refunded_minor
    from {{ ref('fct_refunds') }} where status = 'succeeded'
)

select
    kind, source_id, livemode, currency, booked.amount_minor as booked_minor, moved.amount_minor as moved_minor
from booked
full outer join moved using (livemode, kind, source_id, currency)
where booked.amount_minor is distinct from moved.amount_minor
