-- Pass 5, tolerance: a line and the item that it names differ by no more than the gateway's tolerance. The difference is an
-- adjustment to book.
select
    lines.line_id,
    lines.item_id,
    lines.settled_minor - lines.booked_minor as adjustment_minor
from {{ ref('int_leftover_lines') }} as lines
inner join {{ ref('gateway_terms') }} as terms on lines.gateway = terms.gateway
where
    lines.line_rank = 1
    and lines.settled_currency = lines.booked_currency
    and abs(lines.settled_minor - lines.booked_minor) between 1 and terms.amount_tolerance_minor
    and lines.line_id not in (select grouped.line_id from {{ ref('int_grouped_lines') }} as grouped)
