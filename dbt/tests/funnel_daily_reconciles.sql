-- Per day and livemode, the funnel by day, the funnel by month and the sessions count the same, step by step.
{% set funnel = checkout_funnel() -%}
with sessions as (
    select
        opened_on,
        livemode,
        {% for step in funnel.steps -%}
        count({{ step.name }}_at) as {{ step.name }}_sessions {{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('fct_funnel_sessions') }} group by all
),

days as (
    select
        opened_on,
        livemode,
        {% for step in funnel.steps -%}
        sum({{ step.name }}_sessions) as {{ step.name }}_sessions {{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('fct_funnel_daily') }} group by all
),

months as (
    select 'month' as problem, sum(opened_sessions) - (select sum(opened_sessions) from days) as difference
    from {{ ref('rpt_funnel_monthly') }}
)

select 'day' as problem, count(*) as difference
from ((from sessions except from days) union all (from days except from sessions))
having count(*) > 0
union all
select problem, difference from months where difference != 0
