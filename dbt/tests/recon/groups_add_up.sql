-- Both sides of every match are the same, but for the adjustment of a tolerance.
with sides as (
    select match_id, currency, amount_minor - adjustment_minor as amount_minor from {{ ref('fct_recon_matches') }}
    union all
    select match_id, currency, -booked_minor from {{ ref('fct_recon_matches') }} where item_id is not null
    union all
    select match_id, currency, -amount_minor from {{ ref('fct_recon_match_items') }}
)

select match_id, currency, sum(amount_minor) as difference_minor
from sides
group by all
having sum(amount_minor) != 0
