select
    region,
    business_month,
    livemode,
    channel,
    device_class,
    opened_sessions,
    submitted_sessions,
    succeeded_sessions,
    succeeded_sessions / cast(opened_sessions as double) as conversion_ratio
from {{ source('regions', 'rpt_funnel_monthly') }}
