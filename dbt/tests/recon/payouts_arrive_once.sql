-- What arrived is counted once: the entries of payouts add up to what the legs say.
with legs as (
    select livemode, currency, sum(arrived_minor) as arrived_minor from {{ ref('fct_payout_legs') }} group by all
),

entries as (
    select livemode, currency, sum(amount_minor) as arrived_minor
    from {{ ref('fct_bank_entries') }}
    where outcome = 'payout'
    group by all
)

select entries.currency, entries.arrived_minor, legs.arrived_minor as counted_minor
from entries
left join legs using (livemode, currency)
where entries.arrived_minor is distinct from legs.arrived_minor
