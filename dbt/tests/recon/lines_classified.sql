-- Every landed line is matched, a break, or of a kind that moves no payer's money: exactly one of them.
with outcomes as (
    select line_id, 'match' as outcome from {{ ref('fct_recon_matches') }}
    union all
    select line_id, 'break' from {{ ref('fct_recon_breaks') }} where settled_minor is not null
    union all
    select line_id, kind from {{ ref('fct_settlement_lines') }} where not is_movement
)

select line_id, count(outcomes.outcome) as outcome_count
from {{ source('lake', 'settlement_lines') }} as landed
full outer join outcomes using (line_id)
group by line_id
having count(outcomes.outcome) != 1 or count(landed.region) != 1
