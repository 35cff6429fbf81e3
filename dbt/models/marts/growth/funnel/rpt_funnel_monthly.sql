-- What a region may say about its funnel outside: no merchant, no campaign, no day.
select
    region,
    cast(date_trunc('month', opened_on) as date) as business_month,
    livemode,
    channel,
    device_class,
    cast(sum(opened_sessions) as bigint) as opened_sessions,
    cast(sum(submitted_sessions) as bigint) as submitted_sessions,
    cast(sum(succeeded_sessions) as bigint) as succeeded_sessions
from {{ ref('fct_funnel_daily') }}
group by
    region,
    cast(date_trunc('month', opened_on) as date),
    livemode,
    channel,
    device_class
