-- Payments with the same exportable properties, counted: no row is one payment's, and no id has left its region.
select
    region,
    created_on,
    livemode,
    currency,
    status,
    method,
    coalesce(channel, '(none)') as channel,
    coalesce(device_class, '(none)') as device_class,
    count(*) as payment_count,
    cast(sum(captured_minor) as bigint) as captured_minor,
    cast(sum(refunded_minor) as bigint) as refunded_minor
from {{ source('regions', 'fct_payments') }}
group by
    region,
    created_on,
    livemode,
    currency,
    status,
    method,
    coalesce(channel, '(none)'),
    coalesce(device_class, '(none)')
