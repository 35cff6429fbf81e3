{% set funnel = checkout_funnel() -%}
-- A session is opened once; were its event to come twice, the first would count.
with sessions as (
    select
        session_id,
        livemode,
        region,
        merchant_id,
        link_id,
        channel,
        campaign,
        device_class,
        locale,
        currency,
        amount_minor
    from {{ ref('stg_checkout_opened') }}
    qualify row_number() over (partition by session_id order by opened_at, event_at) = 1
),

steps as (
    select
        session_id,
        {% for step in funnel.steps -%}
        max(case step when '{{ step.name }}' then reached_at end) as {{ step.name }}_at,
        {% endfor -%}
        max(step_number) as steps_reached
    from {{ ref('int_session_steps') }}
    where funnel = '{{ funnel.name }}'
    group by session_id
),

submissions as (
    select
        session_id,
        count(distinct payment_id) as submission_count,
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
    {% for step in funnel.steps -%}
    steps.{{ step.name }}_at,
    {% endfor -%}
    expired.expired_at,
    steps.steps_reached,
    case steps.steps_reached
        {% for step in funnel.steps[:-1] -%}
        when {{ loop.index }} then '{{ step.name }}'
        {% endfor -%}
    end as drop_off_step,
    steps.steps_reached = {{ funnel.steps | length }} as is_converted,
    coalesce(submissions.submission_count, 0) as submission_count,
    {{ business_date('steps.' ~ funnel.steps[0].name ~ '_at') }} as opened_on
from sessions
inner join steps on sessions.session_id = steps.session_id
left join submissions on sessions.session_id = submissions.session_id
left join expired on sessions.session_id = expired.session_id
