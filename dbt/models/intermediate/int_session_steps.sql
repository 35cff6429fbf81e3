-- The first time that each session reached each step. A step counts only if the step before it was reached no later.
with opened as (
    select session_id, opened_at from {{ ref('stg_checkout_opened') }}
),

submitted as (
    select
        submissions.session_id,
        min(submissions.submitted_at) as submitted_at
    from {{ ref('stg_checkout_submitted') }} as submissions
    inner join opened on submissions.session_id = opened.session_id
    where submissions.submitted_at >= opened.opened_at
    group by submissions.session_id
),

succeeded as (
    select
        payments.session_id,
        min(payments.succeeded_at) as succeeded_at
    from {{ ref('stg_payment_succeeded') }} as payments
    inner join submitted on payments.session_id = submitted.session_id
    where payments.succeeded_at >= submitted.submitted_at
    group by payments.session_id
)

select session_id, 1 as step_number, 'opened' as step, opened_at as reached_at from opened
union all
select session_id, 2 as step_number, 'submitted' as step, submitted_at as reached_at from submitted
union all
select session_id, 3 as step_number, 'succeeded' as step, succeeded_at as reached_at from succeeded
