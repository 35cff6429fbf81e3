-- The booked side of groups: an item each. Matches of one line and one item name the item themselves.
select
    items.item_id,
    grouped.match_id,
    items.livemode,
    items.region,
    items.merchant_id,
    items.gateway,
    items.gateway_account,
    items.kind,
    items.payment_id,
    items.currency,
    items.amount_minor,
    items.booked_on
from {{ ref('int_grouped_items') }} as grouped
inner join {{ ref('int_leftover_items') }} as items on grouped.item_id = items.item_id
