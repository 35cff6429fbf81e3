-- Σ settled (from the gateway's report) − Σ booked (from the ledger) = timing + adjustments + in transit + breaks, per day and currency.
-- Both sides are summed from their own source; the explanation comes from matching. What is left over must be zero.
with items as (
    select * from {{ ref('int_booked_items') }}
),

ledger as (
    select
        entries.livemode,
        entries.region,
        coalesce(items.gateway, split_part(entries.account, ':', 2)) as gateway,
        coalesce(items.gateway_account, 'unknown') as gateway_account,
        entries.currency,
        entries.accounting_date as business_date,
        {{ booked_kind('entries.kind') }} as kind,
        entries.amount_minor
    from {{ ref('int_journal_entries') }} as entries
    left join items
        on case when starts_with(entries.kind, 'dispute') then entries.journal_id else entries.source_id end = items.item_id
        and {{ booked_kind('entries.kind') }} = items.kind
    where entries.account like 'gateway_clearing:%' and entries.kind in ({{ originating_kinds() }})
),

lines as (
    select * from {{ ref('fct_settlement_lines') }}
),

matches as (
    select * from {{ ref('fct_recon_matches') }}
),

breaks as (
    select * from {{ ref('fct_recon_breaks') }}
),

{% set place = 'livemode, region, gateway, gateway_account' -%}
facts as (
    select
        {{ place }}, currency, business_date,
        'captured' as measure, sum(amount_minor) as amount_minor, count(*) as row_count
    from ledger where kind = 'payment' group by all
    union all
    select {{ place }}, currency, business_date, 'refunded', -sum(amount_minor), count(*)
    from ledger where kind = 'refund' group by all
    union all
    select {{ place }}, currency, business_date, 'disputed', -sum(amount_minor), count(*)
    from ledger where kind in ({{ dispute_kinds() }}) group by all
    union all
    select {{ place }}, currency, report_date, 'settled', sum(gross_minor), count(*)
    from lines where is_movement group by all
    union all
    select {{ place }}, net_currency, report_date, 'fees', sum(fees_minor), count(*)
    from lines where is_movement group by all
    union all
    select {{ place }}, net_currency, report_date, 'fees', -sum(net_minor), count(*)
    from lines where kind = 'fee' group by all
    union all
    select {{ place }}, net_currency, report_date, 'payout', -sum(net_minor), count(*)
    from lines where kind = 'payout' group by all
    union all
    select {{ place }}, currency, settled_on, 'matched', sum(amount_minor), count(*)
    from matches group by all
    union all
    select {{ place }}, currency, settled_on, 'timing', sum(amount_minor - adjustment_minor), 0
    from matches where settled_on is distinct from booked_on group by all
    union all
    select {{ place }}, currency, booked_on, 'timing', -sum(booked_minor), 0
    from matches where settled_on != booked_on group by all
    union all
    select {{ place }}, currency, booked_on, 'timing', -sum(amount_minor), 0
    from {{ ref('fct_recon_match_items') }} group by all
    union all
    select {{ place }}, currency, settled_on, 'adjustments', sum(adjustment_minor), count(*)
    from matches where adjustment_minor != 0 group by all
    union all
    select {{ place }}, currency, booked_on, 'in_transit', -sum(amount_minor), count(*)
    from {{ ref('int_open_items') }} where is_in_transit group by all
    union all
    select {{ place }}, currency, business_date, 'break_count', 0, count(*)
    from breaks group by all
    union all
    select {{ place }}, settled_currency, settled_on, 'breaks', sum(settled_minor), 0
    from breaks where settled_currency is not null group by all
    union all
    select {{ place }}, booked_currency, booked_on, 'breaks', -sum(booked_minor), 0
    from breaks where booked_currency is not null group by all
),

summed as (
    select
        region,
        business_date,
        livemode,
        gateway,
        gateway_account,
        currency,
        {{ total('captured') }} as captured_minor,
        {{ total('refunded') }} as refunded_minor,
        {{ total('disputed') }} as disputed_minor,
        {{ total('settled') }} as settled_minor,
        {{ total('fees') }} as fees_minor,
        {{ total('payout') }} as payout_minor,
        {{ total('settled', 'row_count') }} as settled_lines,
        {{ total('matched', 'row_count') }} as matched_lines,
        {{ total('matched') }} as matched_minor,
        {{ total('timing') }} as timing_minor,
        {{ total('adjustments') }} as adjustments_minor,
        {{ total('in_transit', 'row_count') }} as in_transit_count,
        {{ total('in_transit') }} as in_transit_minor,
        {{ total('break_count', 'row_count') }} as break_count,
        {{ total('breaks') }} as breaks_minor
    from facts
    group by region, business_date, livemode, gateway, gateway_account, currency
)

select
    *,
    settled_minor - (captured_minor - refunded_minor - disputed_minor) - timing_minor - adjustments_minor - in_transit_minor - breaks_minor as unexplained_minor
from summed
