-- Every time money was taken: a payment that is captured at once, or each capture that was asked for.
select
    succeeded.payment_id as item_id,
    succeeded.payment_id,
    succeeded.livemode,
    succeeded.region,
    succeeded.merchant_id,
    succeeded.gateway,
    succeeded.gateway_account,
    succeeded.gateway_reference as movement_reference,
    succeeded.attempt_id as movement_merchant_reference,
    succeeded.currency,
    succeeded.amount_minor,
    succeeded.succeeded_at
from {{ ref('stg_payment_succeeded') }} as succeeded
where not exists (select 1 from {{ ref('stg_capture_succeeded') }} as asked where asked.payment_id = succeeded.payment_id)

union all

select
    capture_id as item_id,
    payment_id,
    livemode,
    region,
    merchant_id,
    gateway,
    gateway_account,
    gateway_reference as movement_reference,
    capture_id as movement_merchant_reference,
    currency,
    amount_minor,
    succeeded_at
from {{ ref('stg_capture_succeeded') }}
