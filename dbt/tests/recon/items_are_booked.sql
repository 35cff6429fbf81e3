-- Every movement that reconciliation expects is in the ledger, with the same amount: the items' sum is the clearing account's.
with items as (
    select livemode, currency, sum(amount_minor) as amount_minor from {{ ref('int_booked_items') }} group by all
),

ledger as (
    select livemode, currency, sum(amount_minor) as amount_minor
    from {{ ref('int_journal_entries') }}
    where account like 'gateway_clearing:%' and kind in ({{ originating_kinds() }})
    group by all
)

(select * from items except select * from ledger)
union all
(select * from ledger except select * from items)
