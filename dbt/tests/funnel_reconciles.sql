-- Sessions opened = sessions in the funnel; drop-offs and conversions add up; steps are in order and within the window; whoever
-- paid within the window converted, and nobody else did.
{% set funnel = checkout_funnel() -%}
select 'sessions' as problem, count(*) as found
from {{ ref('fct_funnel_sessions') }}
having count(*) != (select count(distinct session_id) from {{ ref('stg_checkout_opened') }})
union all
select 'steps', count(*)
from {{ ref('fct_funnel_sessions') }}
where
    (drop_off_step is null) != is_converted
    or submitted_at < opened_at
    or succeeded_at < submitted_at
    or (succeeded_at is not null and submitted_at is null)
    or greatest(submitted_at, succeeded_at) > opened_at + to_hours({{ funnel.window_hours }})
having count(*) > 0
union all
select 'converted', count(*)
from {{ ref('fct_funnel_sessions') }}
where
    is_converted
    and session_id not in (select session_id from {{ ref('stg_payment_succeeded') }})
having count(*) > 0
