-- Every break of either leg is in the report, with somebody who looks at it.
select break_id from {{ ref('fct_recon_breaks') }}
union all
select break_id from {{ ref('fct_bank_breaks') }}
except all
select break_id from {{ ref('rpt_recon_breaks') }} where state != 'resolved'
