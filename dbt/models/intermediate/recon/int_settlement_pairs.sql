-- Pass 1, exact: gateway account, kind, the gateway's reference and ours. An item has one key; a line has at most one item.
select {{ pair_columns() }}
from {{ ref('fct_settlement_lines') }} as lines
inner join {{ ref('int_booked_items') }} as items
    on lines.movement_reference = items.movement_reference
    and lines.movement_merchant_reference = items.movement_merchant_reference
    and {{ same_place() }}
