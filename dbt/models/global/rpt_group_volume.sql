select
    region,
    business_month,
    livemode,
    currency,
    payment_count,
    succeeded_count,
    captured_minor,
    refunded_minor,
    captured_eur_minor,
    unconverted_count
from {{ source('regions', 'rpt_volume_monthly') }}
