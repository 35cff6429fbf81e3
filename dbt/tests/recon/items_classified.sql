-- Every booked item is matched, in transit, or in exactly one break (repeats aside: they have no booked side).
with outcomes as (
    select item_id from {{ ref('fct_recon_matches') }} where item_id is not null
    union all
    select item_id from {{ ref('fct_recon_match_items') }}
    union all
    select item_id from {{ ref('int_open_items') }} where is_in_transit
    union all
    select item_id from {{ ref('fct_recon_breaks') }} where booked_minor is not null
)

select item_id, count(outcomes.item_id) as outcome_count
from {{ ref('int_booked_items') }} as items
left join outcomes using (item_id)
group by item_id
having count(outcomes.item_id) != 1
