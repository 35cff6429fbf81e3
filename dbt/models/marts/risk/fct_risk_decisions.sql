with assessed as (
    select * from {{ ref('stg_risk_assessed') }}
),

payments as (
    select payment_id, status, failure_code, is_challenged from {{ ref('fct_payments') }}
)

select
    assessed.payment_id,
    assessed.attempt_number,
    assessed.livemode,
    assessed.region,
    assessed.merchant_id,
    assessed.link_id,
    assessed.decision,
    cast(json_array_length(assessed.reasons) as integer) as reason_count,
    assessed.reasons,
    assessed.currency,
    assessed.amount_minor,
    assessed.rules_version,
    assessed.features_version,
    coalesce(payments.status, 'unknown') as payment_status,
    payments.failure_code,
    coalesce(payments.is_challenged, false) as is_challenged,
    assessed.as_of as assessed_at,
    {{ business_date('assessed.as_of') }} as assessed_on
from assessed
left join payments on assessed.payment_id = payments.payment_id
