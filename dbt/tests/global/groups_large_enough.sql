-- Where only aggregates may leave, each is over a group of the stated size at least.
with groups as (
    select region, payment_count as group_size from {{ ref('rpt_group_volume') }}
    union all
    select region, opened_sessions as group_size from {{ ref('rpt_group_funnel') }}
)

select groups.region, groups.group_size
from groups
inner join {{ ref('rpt_group_coverage') }} as coverage on groups.region = coverage.region
where coverage.export = 'aggregates' and groups.group_size < coverage.minimum_group_size
