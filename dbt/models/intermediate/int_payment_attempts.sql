with attempts as (
    select
        payment_id,
        attempt_id,
        gateway,
        gateway_account,
        attempted_at,
        row_number() over (partition by payment_id order by attempted_at, attempt_id) as attempt_number
    from {{ ref('stg_payment_attempted') }}
),

actions as (
    select
        attempt_id,
        min(required_at) as action_required_at
    from {{ ref('stg_payment_requires_action') }}
    group by attempt_id
)

select
    attempts.payment_id,
    attempts.attempt_id,
    attempts.attempt_number,
    attempts.gateway,
    attempts.gateway_account,
    attempts.attempted_at,
    actions.action_required_at
from attempts
left join actions on attempts.attempt_id = actions.attempt_id
