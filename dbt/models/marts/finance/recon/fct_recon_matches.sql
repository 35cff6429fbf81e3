-- Lines that are explained, by the pass that explained them. A group's items are in fct_recon_match_items.
select
    {{ match_id(['line_id', 'item_id']) }} as match_id,
    pass,
    {{ rule_version() }} as rule_version,
    line_id,
    item_id,
    livemode,
    region,
    merchant_id,
    gateway,
    gateway_account,
    kind,
    payment_id,
    movement_reference as psp_reference,
    settled_currency as currency,
    settled_minor as amount_minor,
    booked_minor,
    cast(0 as bigint) as adjustment_minor,
    booked_on,
    settled_on,
    batch_number,
    cast(date_diff('day', booked_on, settled_on) as integer) as transit_days
from ({{ ranked_pairs() }})
where is_equal

union all

select
    {{ match_id(['lines.line_id', 'lines.item_id']) }},
    'tolerance',
    {{ rule_version() }},
    lines.line_id,
    lines.item_id,
    lines.livemode,
    lines.region,
    lines.merchant_id,
    lines.gateway,
    lines.gateway_account,
    lines.kind,
    lines.payment_id,
    lines.movement_reference,
    lines.settled_currency,
    lines.settled_minor,
    lines.booked_minor,
    tolerated.adjustment_minor,
    lines.booked_on,
    lines.settled_on,
    lines.batch_number,
    cast(date_diff('day', lines.booked_on, lines.settled_on) as integer)
from {{ ref('int_tolerated_lines') }} as tolerated
inner join {{ ref('int_leftover_lines') }} as lines on tolerated.line_id = lines.line_id

union all

select
    grouped.match_id,
    grouped.pass,
    {{ rule_version() }},
    lines.line_id,
    null,
    lines.livemode,
    lines.region,
    null,
    lines.gateway,
    lines.gateway_account,
    lines.kind,
    null,
    lines.movement_reference,
    lines.settled_currency,
    lines.settled_minor,
    null,
    0,
    null,
    lines.settled_on,
    lines.batch_number,
    null
from {{ ref('int_grouped_lines') }} as grouped
inner join {{ ref('int_leftover_lines') }} as lines on grouped.line_id = lines.line_id
