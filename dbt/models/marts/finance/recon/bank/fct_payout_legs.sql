-- Gateway to bank: what a batch says that it paid out, and what arrived under its reference. Amounts must agree exactly.
with payouts as (
    select
        livemode,
        region,
        gateway,
        gateway_account,
        batch_number,
        net_currency as currency,
        split_part(coalesce(min(modification_reference), ''), ' ', 1) as payout_reference,
        min(report_date) as paid_out_on,
        cast(-sum(net_minor) as bigint) as paid_out_minor
    from {{ ref('fct_settlement_lines') }}
    where kind = 'payout'
    group by all
    having sum(net_minor) != 0
),

arrivals as (
    select
        livemode,
        currency,
        payout_reference,
        count(*) as entry_count,
        cast(sum(amount_minor) as bigint) as arrived_minor,
        max(booking_date) as arrived_on
    from {{ ref('fct_bank_entries') }}
    where outcome = 'payout'
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
    payouts.payout_reference,
    payouts.paid_out_on,
    payouts.paid_out_minor,
    arrivals.arrived_on,
    coalesce(arrivals.entry_count, 0) as entry_count,
    coalesce(arrivals.arrived_minor, 0) as arrived_minor,
    payouts.paid_out_minor - coalesce(arrivals.arrived_minor, 0) as difference_minor,
    case
        when arrivals.entry_count is null and (
            stated.stated_until is null
            or date_diff('day', payouts.paid_out_on, stated.stated_until) < coalesce(terms.transit_days_max, 0)
        ) then 'in_transit'
        when arrivals.entry_count is null then 'missing_at_bank'
        when arrivals.arrived_minor = payouts.paid_out_minor and arrivals.entry_count = 1 then 'match'
        when arrivals.arrived_minor = payouts.paid_out_minor then 'split'
        when arrivals.arrived_minor = arrivals.entry_count * payouts.paid_out_minor then 'duplicate'
        else 'amount'
    end as outcome
from payouts
left join arrivals
    on payouts.livemode = arrivals.livemode
    and payouts.currency = arrivals.currency
    and payouts.payout_reference = arrivals.payout_reference
left join stated on payouts.livemode = stated.livemode and payouts.currency = stated.currency
left join {{ ref('gateway_terms') }} as terms on payouts.gateway = terms.gateway
