-- Lines that move a payer's money, or of types that we do not know, and that pass 1 left.
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
    lines.created_at
from {{ ref('fct_settlement_lines') }} as lines
where lines.is_movement and not exists (
    select 1 from {{ ref('int_settlement_pairs') }} as pairs where pairs.line_id = lines.line_id
)
