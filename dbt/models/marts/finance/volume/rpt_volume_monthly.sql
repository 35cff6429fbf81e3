-- Refunds count in the month of the payment that they give back.
select
    region,
    cast(date_trunc('month', created_on) as date) as business_month,
    livemode,
    currency,
    count(*) as payment_count,
    count(*) filter (where status = 'succeeded') as succeeded_count,
    cast(sum(captured_minor) as bigint) as captured_minor,
    cast(sum(refunded_minor) as bigint) as refunded_minor,
    cast(coalesce(sum(eur_amount_minor) filter (where status = 'succeeded'), 0) as bigint) as captured_eur_minor,
    count(*) filter (where status = 'succeeded' and eur_amount_minor is null) as unconverted_count
from {{ ref('fct_payments') }}
group by
    region,
    cast(date_trunc('month', created_on) as date),
    livemode,
    currency
