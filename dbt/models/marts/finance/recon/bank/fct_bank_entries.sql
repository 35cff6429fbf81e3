-- What a booked entry is to us: a payout that a gateway reports, a charge of the bank, or something that nobody has announced.
-- A payout is known by its reference; without one by account, currency, amount and days, where one fits one and only one.
with payouts as (
    select * from {{ ref('int_payouts') }}
),

entries as (
    select * from {{ ref('stg_bank_entries') }} where is_booked
),

named as (
    select entries.entry_id, min((payouts.payout_key, payouts.payout_reference)) as payout
    from entries
    inner join payouts
        on entries.livemode = payouts.livemode
        and entries.currency = payouts.currency
        and payouts.payout_reference != ''
        and contains(entries.reference_text, ' ' || payouts.payout_reference || ' ')
    group by entries.entry_id
),

fitting as (
    select
        entries.entry_id,
        payouts.payout_key,
        payouts.payout_reference,
        count(*) over (partition by entries.entry_id) as payout_count,
        count(*) over (partition by payouts.livemode, payouts.payout_key) as entry_count
    from entries
    inner join payouts
        on entries.livemode = payouts.livemode
        and entries.currency = payouts.currency
        and entries.amount_minor = payouts.paid_out_minor
    inner join {{ ref('gateway_terms') }} as terms on payouts.gateway = terms.gateway
    where
        date_diff('day', payouts.paid_out_on, entries.booking_date) between 0 and terms.transit_days_max
        and entries.entry_id not in (select named.entry_id from named)
        and payouts.payout_key not in (select named.payout[1] from named)
),

found as (
    select entry_id, 'reference' as pass, payout[1] as payout_key, payout[2] as payout_reference from named
    union all
    select entry_id, 'amount', payout_key, payout_reference from fitting where payout_count = 1 and entry_count = 1
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
    found.pass,
    found.payout_key,
    found.payout_reference,
    case
        when found.payout_key is not null then 'payout'
        when regexp_matches(coalesce(entries.transaction_code, ''), '(CHRG|FEES|COMM|CHG)$') then 'charge'
        else 'unknown_at_bank'
    end as outcome
from entries
left join found on entries.entry_id = found.entry_id
