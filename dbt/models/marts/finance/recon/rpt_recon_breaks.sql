-- Every break of both legs with its age and its owner, and against the run before: new, persisting, or resolved since.
with breaks as (
    select
        break_id, 'gateway' as leg, class, livemode, region, gateway, gateway_account, batch_number, business_date as since_on,
        currency, amount_minor, line_id, item_id, cast(null as varchar) as entry_id, cast(null as varchar) as payout_reference
    from {{ ref('fct_recon_breaks') }}
    union all
    select
        break_id, 'bank', class, livemode, region, gateway, gateway_account, batch_number, business_date,
        currency, amount_minor, null, null, entry_id, payout_reference
    from {{ ref('fct_bank_breaks') }}
),

before as (
    select * from {{ source('lake', 'previous_breaks') }}
),

stated as (
    select
        breaks.*,
        coalesce(before.first_seen_on, run.business_date) as first_seen_on,
        case when before.break_id is null then 'new' else 'persisting' end as state
    from breaks
    cross join {{ source('lake', 'run') }} as run
    left join before on breaks.break_id = before.break_id
    union all
    select
        before.break_id, before.leg, before.class, before.livemode, before.region, before.gateway, before.gateway_account, null,
        before.since_on, before.currency, before.amount_minor, null, null, null, null, before.first_seen_on, 'resolved'
    from before
    where before.break_id not in (select breaks.break_id from breaks)
)

select
    stated.*,
    cast(greatest(0, date_diff('day', stated.since_on, run.business_date)) as integer) as age_days,
    case
        when date_diff('day', stated.since_on, run.business_date) <= 1 then '0-1'
        when date_diff('day', stated.since_on, run.business_date) <= 7 then '2-7'
        when date_diff('day', stated.since_on, run.business_date) <= 30 then '8-30'
        else '>30'
    end as age_bucket,
    classes.owner
from stated
cross join {{ source('lake', 'run') }} as run
inner join {{ ref('recon_classes') }} as classes on stated.class = classes.class and stated.leg = classes.leg
