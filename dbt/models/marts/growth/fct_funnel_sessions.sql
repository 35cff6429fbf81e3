with sessions as (
    select * from {{ ref('stg_checkout_opened') }}
),

steps as (
    select
        session_id,
        max(case step when 'submitted' then reached_at end) as submitted_at,
        max(case step when 'succeeded' then reached_at end) as succeeded_at,
        max(step_number) as steps_reached
    from {{ ref('int_session_steps') }}
    group by session_id
),

submissions as (
    select
        session_id,
        count(*) as submission_count,
        min_by(method, (submitted_at, event_id)) as method
    from {{ ref('stg_checkout_submitted') }}
    group by session_id
),

expired as (
    select session_id, min(expired_at) as expired_at from {{ ref('stg_checkout_expired') }} group by session_id
)

select
    sessions.session_id,
    sessions.livemode,
    sessions.region,
    sessions.merchant_id,
    sessions.link_id,
    sessions.channel,
    sessions.campaign,
    sessions.device_class,
    sessions.locale,
    submissions.method,
    sessions.currency,
    sessions.amount_minor,
    sessions.opened_at,
    steps.submitted_at,
    steps.succeeded_at,
    expired.expired_at,
    steps.steps_reached,
    case steps.steps_reached when 1 then 'opened' when 2 then 'submitted' end as drop_off_step,
    steps.succeeded_at is not null as is_converted,
    coalesce(submissions.submission_count, 0) as submission_count,
    {{ business_date('sessions.opened_at') }} as opened_on
from sessions
inner join steps on sessions.session_id = steps.session_id
left join submissions on sessions.session_id = submissions.session_id
left join expired on sessions.session_id = expired.session_id
