-- Every time that a dispute took money back from us, took it back again, or returned it: one row per journal that books it.
select
    entries.journal_id as item_id,
    {{ booked_kind('entries.kind') }} as kind,
    disputes.payment_id,
    entries.livemode,
    entries.region,
    entries.merchant_id,
    disputes.gateway,
    disputes.gateway_account,
    payments.gateway_reference as payment_reference,
    disputes.gateway_reference as movement_reference,
    coalesce(payments.attempt_id, disputes.dispute_id) as movement_merchant_reference,
    entries.currency,
    entries.amount_minor,
    entries.occurred_at,
    entries.accounting_date as booked_on
from {{ ref('int_journal_entries') }} as entries
inner join {{ ref('stg_dispute_opened') }} as disputes on entries.source_id = disputes.dispute_id
left join {{ ref('stg_payment_succeeded') }} as payments on disputes.payment_id = payments.payment_id
where entries.kind in ('dispute', 'dispute_again', 'dispute_won') and entries.account like 'gateway_clearing:%'
