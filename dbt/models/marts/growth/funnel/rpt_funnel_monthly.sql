{% set funnel = checkout_funnel() -%}
-- What a region may say about its funnel outside: no merchant, no campaign, no day. Made from sessions, not from days, so
-- that no key that is bound to the region has grouped them.
select
    region,
    cast(date_trunc('month', opened_on) as date) as business_month,
    livemode,
    coalesce(channel, '(none)') as channel,
    device_class,
    {% for step in funnel.steps -%}
    count(*) filter (where steps_reached >= {{ loop.index }}) as {{ step.name }}_sessions {{- ',' if not loop.last }}
    {% endfor %}
from {{ ref('fct_funnel_sessions') }}
group by
    region,
    cast(date_trunc('month', opened_on) as date),
    livemode,
    coalesce(channel, '(none)'),
    device_class
