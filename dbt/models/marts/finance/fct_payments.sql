-- A payment may fail at the gateway's first answer and succeed later, when an unknown attempt is resolved: success stands.
with failed as (
    select
        payment_id,
        max(failed_at) as failed_at,
        max_by(failure_code, sequence) as failure_code
    from {{ ref('stg_payment_failed') }}
    group by payment_id
),

attempts as (
    select
        payment_id,
        count(*) as attempt_count,
        max_by(attempt_id, attempt_number) as attempt_id,
        max_by(gateway, attempt_number) as gateway,
        max_by(gateway_account, attempt_number) as gateway_account,
        count(action_required_at) > 0 as is_challenged
    from {{ ref('int_payment_attempts') }}
    group by payment_id
),

refunds as (
    select
        payment_id,
        sum(amount_minor) as refunded_minor
    from {{ ref('stg_refund_succeeded') }}
    group by payment_id
),

authorised as (
    select payment_id, max(authorised_at) as authorised_at from {{ ref('stg_payment_authorised') }} group by payment_id
),

voided as (
    select payment_id, max_by(void_reason, sequence) as void_reason
    from {{ ref('stg_payment_voided') }}
    group by payment_id
),

captures as (
    select payment_id, cast(sum(amount_minor) as bigint) as captured_minor
    from {{ ref('int_captures') }}
    group by payment_id
),

sessions as (
    select session_id, channel, campaign, device_class, locale from {{ ref('stg_checkout_opened') }}
)

select
    created.payment_id,
    created.livemode,
    created.region,
    created.merchant_id,
    created.link_id,
    created.session_id,
    case
        when succeeded.payment_id is not null then 'succeeded'
        when voided.payment_id is not null then 'voided'
        when failed.payment_id is not null then 'failed'
        when authorised.payment_id is not null then 'authorised'
        when coalesce(attempts.is_challenged, false) then 'requires_action'
        else 'processing'
    end as status,
    created.method,
    created.currency,
    created.amount_minor,
    coalesce(captures.captured_minor, 0) as captured_minor,
    cast(coalesce(refunds.refunded_minor, 0) as bigint) as refunded_minor,
    coalesce(attempts.attempt_count, 0) as attempt_count,
    coalesce(attempts.is_challenged, false) as is_challenged,
    coalesce(succeeded.is_late, false) as is_late,
    coalesce(succeeded.attempt_id, attempts.attempt_id) as attempt_id,
    coalesce(succeeded.gateway, attempts.gateway) as gateway,
    coalesce(succeeded.gateway_account, attempts.gateway_account) as gateway_account,
    succeeded.gateway_reference,
    succeeded.card_brand,
    case when succeeded.payment_id is null then coalesce(voided.void_reason, failed.failure_code) end as failure_code,
    sessions.channel,
    sessions.campaign,
    sessions.device_class,
    sessions.locale,
    created.created_at,
    succeeded.succeeded_at,
    case when succeeded.payment_id is null then failed.failed_at end as failed_at,
    {{ business_date('created.created_at') }} as created_on,
    {{ business_date('succeeded.succeeded_at') }} as succeeded_on,
    fx.merchant_currency,
    fx.merchant_amount_minor,
    fx.eur_amount_minor,
    fx.fx_rate_date,
    fx.fx_source,
    fx.fx_missing_reason
from {{ ref('stg_payment_created') }} as created
inner join {{ ref('int_payment_fx') }} as fx on created.payment_id = fx.payment_id
left join {{ ref('stg_payment_succeeded') }} as succeeded on created.payment_id = succeeded.payment_id
left join captures on created.payment_id = captures.payment_id
left join authorised on created.payment_id = authorised.payment_id
left join voided on created.payment_id = voided.payment_id
left join failed on created.payment_id = failed.payment_id
left join attempts on created.payment_id = attempts.payment_id
left join refunds on created.payment_id = refunds.payment_id
left join sessions on created.session_id = sessions.session_id
