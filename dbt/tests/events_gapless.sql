-- Per object, sequences run 1, 2, 3, …: nothing lost, nothing doubled between outbox and lake. A record in quarantine leaves a
-- gap, so this warns; whoever is on call for data looks at the quarantine table.
{{ config(severity='warn', meta={'owner': 'data'}) }}
{# An event names its object by `<family>_id`, but for these. #}
{% set objects = {'checkout': 'session_id', 'risk': 'payment_id', 'fee': 'payment_id'} -%}
with events as (
    {% for type in event_types() -%}
    {% set family = type.split('.')[0] -%}
    select '{{ 'payment' if family in ('risk', 'fee') else family }}' as kind, {{ objects.get(family, family ~ '_id') }} as object_id, sequence
    from {{ ref('stg_' ~ type | replace('.', '_')) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select kind, object_id, count(*) as event_count, max(sequence) as last_sequence
from events
group by kind, object_id
having count(*) != max(sequence) or min(sequence) != 1 or count(distinct sequence) != count(*)
