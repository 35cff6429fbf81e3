-- The first time that each session reached each step of each funnel. A step counts if it is not before the step in front of
-- it and within the conversion window; taking the first such event at each step leaves the most time for those behind it.
with
{% for funnel in funnels() -%}
{% set first = funnel.steps[0] -%}
{{ funnel.name }}_1 as (
    select
        session_id,
        min({{ first.at }}) as reached_at,
        min({{ first.at }}) + to_hours({{ funnel.window_hours }}) as closes_at
    from {{ ref('stg_' ~ first.event | replace('.', '_')) }}
    group by session_id
),

{% for step in funnel.steps[1:] -%}
{{ funnel.name }}_{{ loop.index + 1 }} as (
    select
        events.session_id,
        min(events.{{ step.at }}) as reached_at,
        earlier.closes_at
    from {{ ref('stg_' ~ step.event | replace('.', '_')) }} as events
    inner join {{ funnel.name }}_{{ loop.index }} as earlier on events.session_id = earlier.session_id
    where events.{{ step.at }} >= earlier.reached_at and events.{{ step.at }} <= earlier.closes_at
    group by events.session_id, earlier.closes_at
),

{% endfor -%}
{% endfor -%}
steps as (
    {% for funnel in funnels() -%}
    {% set is_last_funnel = loop.last -%}
    {% for step in funnel.steps -%}
    select '{{ funnel.name }}' as funnel, session_id, {{ loop.index }} as step_number, '{{ step.name }}' as step, reached_at
    from {{ funnel.name }}_{{ loop.index }}
    {{ 'union all' if not (loop.last and is_last_funnel) }}
    {% endfor -%}
    {% endfor -%}
)

select
    funnel,
    session_id,
    step_number,
    step,
    reached_at
from steps
