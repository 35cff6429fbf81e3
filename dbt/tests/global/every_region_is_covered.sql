-- A region with figures is one whose coverage says so.
select region from {{ ref('rpt_group_volume') }}
union
select region from {{ ref('fct_group_payments') }}
union
select region from {{ ref('rpt_group_funnel') }}
except
select region from {{ ref('rpt_group_coverage') }} where state != 'missing'
