-- What a booked entry is to us: a payout that a gateway reports, a charge of the bank, or something that nobody has announced.
with payouts as (
    select distinct livemode, net_currency as currency, split_part(modification_reference, ' ', 1) as payout_reference
    from {{ ref('fct_settlement_lines') }}
    where kind = 'payout' and modification_reference is not null
),

entries as (
    select * from {{ ref('stg_bank_entries') }} where is_booked
),

named as (
    select entries.entry_id, min(payouts.payout_reference) as payout_reference
    from entries
    inner join payouts
        on entries.livemode = payouts.livemode
        and entries.currency = payouts.currency
        and contains(entries.reference_text, ' ' || payouts.payout_reference || ' ')
    group by entries.entry_id
)

select
    entries.entry_id,
    entries.statement_key,
    entries.livemode,
    entries.region,
    entries.account,
    entries.currency,
    entries.statement_date,
    entries.booking_date,
    entries.kind as direction,
    entries.amount_minor,
    named.payout_reference,
    case
        when named.payout_reference is not null then 'payout'
        when regexp_matches(coalesce(entries.transaction_code, ''), '(CHRG|FEES|COMM|CHG)$') then 'charge'
        else 'unknown_at_bank'
    end as outcome
from entries
left join named on entries.entry_id = named.entry_id
