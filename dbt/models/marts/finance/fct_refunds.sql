with created as (
    select * from {{ ref('stg_refund_created') }}
),

succeeded as (
    select * from {{ ref('stg_refund_succeeded') }}
),

failed as (
    select
        refund_id,
        max(failed_at) as failed_at,
        max_by(failure_code, sequence) as failure_code
    from {{ ref('stg_refund_failed') }}
    group by refund_id
)

select
    created.refund_id,
    created.livemode,
    created.region,
    created.merchant_id,
    created.payment_id,
    case
        when succeeded.refund_id is not null then 'succeeded'
        when failed.refund_id is not null then 'failed'
        else 'pending'
    end as status,
    created.currency,
    created.amount_minor,
    coalesce(succeeded.amount_minor, 0) as refunded_minor,
    succeeded.gateway,
    succeeded.gateway_account,
    succeeded.gateway_reference,
    case when succeeded.refund_id is null then failed.failure_code end as failure_code,
    created.created_at,
    succeeded.succeeded_at,
    case when succeeded.refund_id is null then failed.failed_at end as failed_at,
    {{ business_date('created.created_at') }} as created_on,
    {{ business_date('succeeded.succeeded_at') }} as succeeded_on
from created
left join succeeded on created.refund_id = succeeded.refund_id
left join failed on created.refund_id = failed.refund_id
