-- Per batch and currency: opening clearing + captured − refunded − disputed − fees ± FX … − paid out = closing clearing.
-- Captured and refunded are what our books say of the lines that matched; the residual is what the batch has beyond all names.
with lines as (
    select * from {{ ref('fct_settlement_lines') }}
),

matches as (
    select * from {{ ref('fct_recon_matches') }}
),

breaks as (
    select * from {{ ref('fct_recon_breaks') }} where settled_minor is not null
),

{% set place = 'region, livemode, gateway, gateway_account, batch_number' -%}
facts as (
    select
        {{ place }}, currency,
        case
            when kind in ('payment', 'payment_reversal') then 'captured'
            when kind in ('refund', 'refund_reversal') then 'refunded'
            else 'disputed'
        end as measure,
        sum(coalesce(booked_minor, amount_minor)) as amount_minor
    from matches group by all
    union all
    select {{ place }}, currency, 'adjustments', sum(adjustment_minor) from matches where adjustment_minor != 0 group by all
    union all
    select {{ place }}, settled_currency, case when kind = 'refund' then 'refunded' when kind in ({{ dispute_kinds() }}) then 'disputed' else 'captured' end, sum(booked_minor)
    from breaks where class = 'amount' group by all
    union all
    select
        {{ place }}, settled_currency,
        case class when 'chargeback' then 'disputed' else 'breaks' end,
        sum(case class when 'amount' then amount_minor else settled_minor end)
    from breaks group by all
    union all
    select {{ place }}, net_currency, 'fees', sum(fees_minor) from lines where is_movement group by all
    union all
    select {{ place }}, net_currency, 'fees', -sum(net_minor) from lines where kind = 'fee' group by all
    union all
    select {{ place }}, currency, 'fx', -sum(gross_minor) from lines where is_movement and currency != net_currency group by all
    union all
    select {{ place }}, net_currency, 'fx', sum(net_minor + fees_minor)
    from lines where is_movement and currency != net_currency group by all
    union all
    select {{ place }}, net_currency, 'opening', sum(net_minor) from lines where kind = 'carry' and net_minor > 0 group by all
    union all
    select {{ place }}, net_currency, 'closing', -sum(net_minor) from lines where kind = 'carry' and net_minor < 0 group by all
    union all
    select {{ place }}, net_currency, 'reserve', sum(net_minor) from lines where kind = 'reserve' group by all
    union all
    select {{ place }}, net_currency, 'corrections', sum(net_minor)
    from lines where kind in ('correction', 'information') group by all
    union all
    select {{ place }}, net_currency, 'paid_out', -sum(net_minor) from lines where kind = 'payout' group by all
),

summed as (
    select
        {{ place }},
        currency,
        {{ total('opening') }} as opening_minor,
        {{ total('captured') }} as captured_minor,
        cast(-{{ total('refunded') }} as bigint) as refunded_minor,
        cast(-{{ total('disputed') }} as bigint) as disputed_minor,
        {{ total('fees') }} as fees_minor,
        {{ total('fx') }} as fx_minor,
        {{ total('adjustments') }} as adjustments_minor,
        {{ total('breaks') }} as breaks_minor,
        {{ total('reserve') }} as reserve_minor,
        {{ total('corrections') }} as corrections_minor,
        {{ total('paid_out') }} as paid_out_minor,
        {{ total('closing') }} as closing_minor
    from facts
    group by {{ place }}, currency
)

select
    now_.*,
    now_.opening_minor + now_.captured_minor - now_.refunded_minor - now_.disputed_minor - now_.fees_minor + now_.fx_minor
    + now_.adjustments_minor + now_.breaks_minor + now_.reserve_minor + now_.corrections_minor - now_.paid_out_minor
    - now_.closing_minor as residual_minor,
    -- What the batch before carried on and this one did not take up; none where the report before is not here.
    now_.opening_minor - before.closing_minor as gap_minor
from summed as now_
left join summed as before
    on now_.livemode = before.livemode
    and now_.gateway = before.gateway
    and now_.gateway_account = before.gateway_account
    and now_.currency = before.currency
    and now_.batch_number = before.batch_number + 1
