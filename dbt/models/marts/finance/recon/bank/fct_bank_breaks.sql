-- Where report and bank disagree: payouts that are missing, wrong, doubled, in parts or late, and entries that nobody announced.
with legs as (
    select
        case outcome when 'match' then 'timing' else outcome end as class,
        livemode,
        region,
        gateway,
        gateway_account,
        batch_number,
        payout_key,
        payout_reference,
        entry_id,
        paid_out_on as business_date,
        currency,
        -difference_minor as amount_minor
    from {{ ref('fct_payout_legs') }}
    where outcome not in ('match', 'in_transit', 'announced') or (outcome = 'match' and is_late)
),

entries as (
    select
        'unknown_at_bank' as class,
        livemode,
        region,
        cast(null as varchar) as gateway,
        cast(null as varchar) as gateway_account,
        cast(null as integer) as batch_number,
        cast(null as varchar) as payout_key,
        cast(null as varchar) as payout_reference,
        entry_id,
        booking_date as business_date,
        currency,
        amount_minor
    from {{ ref('fct_bank_entries') }}
    where outcome = 'unknown_at_bank'
),

breaks as (
    select * from legs
    union all
    select * from entries
)

select
    {{ break_id(["'bank'", 'class', 'livemode', 'payout_key', 'case when payout_key is null then entry_id end']) }} as break_id,
    *
from breaks
