select
    lines.line_id,
    items.item_id,
    lines.livemode,
    lines.region,
    items.merchant_id,
    lines.gateway,
    lines.gateway_account,
    lines.kind,
    items.payment_id,
    lines.movement_reference as psp_reference,
    lines.currency,
    lines.gross_minor as amount_minor,
    items.booked_on,
    lines.report_date as settled_on,
    cast(date_diff('day', items.booked_on, lines.report_date) as integer) as transit_days
from {{ ref('int_settlement_pairs') }} as pairs
inner join {{ ref('fct_settlement_lines') }} as lines on pairs.line_id = lines.line_id
inner join {{ ref('int_booked_items') }} as items on pairs.item_id = items.item_id
where
    pairs.line_rank = 1
    and lines.currency = items.currency
    and lines.gross_minor = items.amount_minor
