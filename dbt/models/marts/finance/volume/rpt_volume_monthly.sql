-- Refunds count in the month of the payment that they give back.
select
    region,
    cast(date_trunc('month', created_on) as date) as business_month,
    livemode,
    currency,
    count(*) as payment_count,
    count(*) filter (where status = 'succeeded') as succeeded_count,
    cast(sum(captured_minor) as bigint) as captured_minor,
    cast(sum(refunded_minor) as bigint) as refunded_minor
from {{ ref('fct_payments') }}
group by
    region,
    cast(date_trunc('month', created_on) as date),
    livemode,
    currency
