-- Every event that the lake holds is staged once, type by type; an event type without a staging model fails too.
with landed as (
    select type, count(*) as event_count from {{ source('lake', 'events') }} group by type
),

staged as (
    {% for type in event_types() -%}
    select '{{ type }}' as type, count(*) as event_count from {{ ref('stg_' ~ type | replace('.', '_')) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select type, landed.event_count as landed_count, staged.event_count as staged_count
from landed
full outer join staged using (type)
where coalesce(landed.event_count, 0) != coalesce(staged.event_count, 0)
