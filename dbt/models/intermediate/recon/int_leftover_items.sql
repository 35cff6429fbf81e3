-- Booked items that no equal pair explains. `has_pair`: a line names it, but with another amount or currency.
with named as (
    select item_id, is_equal from ({{ ranked_pairs() }}) where line_rank = 1
)

select
    items.*,
    named.item_id is not null as has_pair
from {{ ref('int_booked_items') }} as items
left join named on items.item_id = named.item_id
where not coalesce(named.is_equal, false)
