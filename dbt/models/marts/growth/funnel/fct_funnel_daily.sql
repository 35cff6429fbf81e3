{% set funnel = checkout_funnel() -%}
select
    region,
    opened_on,
    livemode,
    merchant_id,
    currency,
    coalesce(channel, '(none)') as channel,
    coalesce(campaign, '(none)') as campaign,
    coalesce(method, '(none)') as method,
    device_class,
    locale,
    {% for step in funnel.steps -%}
    count(*) filter (where steps_reached >= {{ loop.index }}) as {{ step.name }}_sessions,
    {% endfor -%}
    count(*) filter (where is_converted) / cast(count(*) as double) as conversion_ratio
from {{ ref('fct_funnel_sessions') }}
group by
    region,
    opened_on,
    livemode,
    merchant_id,
    currency,
    coalesce(channel, '(none)'),
    coalesce(campaign, '(none)'),
    coalesce(method, '(none)'),
    device_class,
    locale
