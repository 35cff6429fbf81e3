-- Pass 1, exact: gateway account, kind, the gateway's reference and ours. The best line of an item is its pair (rank 1);
-- any further line for the same item is a repeat (rank 2, 3, …). The order is total, so row order cannot matter.
with lines as (
    select * from {{ ref('fct_settlement_lines') }} where kind in ('payment', 'refund')
),

items as (
    select * from {{ ref('int_booked_items') }}
)

select
    lines.line_id,
    items.item_id,
    row_number() over (
        partition by items.item_id
        order by
            (lines.currency = items.currency and lines.gross_minor = items.amount_minor) desc,
            (lines.currency = items.currency) desc,
            lines.report_date,
            lines.batch_number,
            lines.line_number,
            lines.line_id
    ) as line_rank
from lines
inner join items
    on lines.livemode = items.livemode
    and lines.gateway = items.gateway
    and lines.gateway_account = items.gateway_account
    and lines.kind = items.kind
    and lines.movement_reference = items.movement_reference
    and lines.movement_merchant_reference = items.movement_merchant_reference
