select
    region,
    business_month,
    livemode,
    currency,
    payment_count,
    succeeded_count,
    captured_minor,
    refunded_minor
from {{ source('regions', 'rpt_volume_monthly') }}
