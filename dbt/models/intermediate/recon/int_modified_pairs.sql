-- Pass 2, modification: of the two references one alone, the gateway's before ours. A line goes to one item.
with lines as (
    select * from {{ ref('int_unpaired_lines') }} where kind in ('payment', 'refund', {{ dispute_kinds() }})
),

named as (
    select 1 as preference, {{ pair_columns() }}
    from lines
    inner join {{ ref('int_booked_items') }} as items
        on lines.movement_reference = items.movement_reference
        and {{ same_place() }}
    union all
    select 2, {{ pair_columns() }}
    from lines
    inner join {{ ref('int_booked_items') }} as items
        on lines.movement_merchant_reference = items.movement_merchant_reference
        and {{ same_place() }}
)

select * exclude (preference)
from named
qualify row_number() over (partition by line_id order by preference, item_id) = 1
