-- Gateway to bank: what a batch says that it paid out, and what arrived of it. Amounts must agree exactly.
with arrivals as (
    select
        livemode,
        payout_key,
        count(*) as entry_count,
        cast(sum(amount_minor) as bigint) as arrived_minor,
        max(booking_date) as arrived_on,
        min(entry_id) as first_entry_id,
        string_agg(entry_id, ',' order by entry_id) as entry_ids
    from {{ ref('fct_bank_entries') }}
    where outcome = 'payout'
    group by all
),

announced as (
    select payouts.livemode, payouts.payout_key, min(notices.announced_on) as announced_on
    from {{ ref('int_payouts') }} as payouts
    inner join {{ ref('stg_bank_notices') }} as notices
        on payouts.livemode = notices.livemode
        and payouts.currency = notices.currency
        and payouts.payout_reference != ''
        and contains(notices.reference_text, ' ' || payouts.payout_reference || ' ')
    group by all
),

stated as (
    select livemode, currency, max(statement_date) as stated_until
    from {{ ref('stg_bank_statements') }}
    group by all
)

select
    payouts.livemode,
    payouts.region,
    payouts.gateway,
    payouts.gateway_account,
    payouts.batch_number,
    payouts.currency,
    payouts.payout_key,
    payouts.payout_reference,
    case when arrivals.entry_count > 0 then {{ match_id(['payouts.payout_key', 'arrivals.entry_ids']) }} end as match_id,
    payouts.paid_out_on,
    payouts.paid_out_minor,
    arrivals.first_entry_id as entry_id,
    announced.announced_on,
    arrivals.arrived_on,
    coalesce(arrivals.entry_count, 0) as entry_count,
    coalesce(arrivals.arrived_minor, 0) as arrived_minor,
    payouts.paid_out_minor - coalesce(arrivals.arrived_minor, 0) as difference_minor,
    coalesce(date_diff('day', payouts.paid_out_on, arrivals.arrived_on) > coalesce(terms.transit_days_max, 0), false) as is_late,
    case
        when arrivals.entry_count is null and (
            stated.stated_until is null
            or date_diff('day', payouts.paid_out_on, stated.stated_until) < coalesce(terms.transit_days_max, 0)
        ) then case when announced.announced_on is null then 'in_transit' else 'announced' end
        when arrivals.entry_count is null then 'missing_at_bank'
        when arrivals.arrived_minor = payouts.paid_out_minor and arrivals.entry_count = 1 then 'match'
        when arrivals.arrived_minor = payouts.paid_out_minor then 'split'
        when arrivals.arrived_minor = arrivals.entry_count * payouts.paid_out_minor then 'duplicate'
        else 'amount'
    end as outcome
from {{ ref('int_payouts') }} as payouts
left join arrivals on payouts.livemode = arrivals.livemode and payouts.payout_key = arrivals.payout_key
left join announced on payouts.livemode = announced.livemode and payouts.payout_key = announced.payout_key
left join stated on payouts.livemode = stated.livemode and payouts.currency = stated.currency
left join {{ ref('gateway_terms') }} as terms on payouts.gateway = terms.gateway
