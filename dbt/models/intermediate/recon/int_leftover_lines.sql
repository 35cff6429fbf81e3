-- Lines that no equal pair explains, with the item that they name by reference, if there is one.
select
    line_id,
    livemode,
    region,
    gateway,
    gateway_account,
    kind,
    type,
    payment_reference,
    movement_reference,
    movement_merchant_reference,
    settled_currency,
    settled_minor,
    settled_on,
    batch_number,
    line_number,
    created_at,
    pass,
    line_rank,
    item_id,
    payment_id,
    merchant_id,
    booked_currency,
    booked_minor,
    booked_on
from ({{ ranked_pairs() }})
where not is_equal

union all

select
    lines.line_id,
    lines.livemode,
    lines.region,
    lines.gateway,
    lines.gateway_account,
    lines.kind,
    lines.type,
    lines.psp_reference,
    lines.movement_reference,
    lines.movement_merchant_reference,
    lines.currency,
    lines.gross_minor,
    lines.report_date,
    lines.batch_number,
    lines.line_number,
    lines.created_at,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null
from {{ ref('int_unpaired_lines') }} as lines
where lines.line_id not in (select pairs.line_id from {{ ref('int_modified_pairs') }} as pairs)
