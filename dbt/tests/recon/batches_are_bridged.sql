-- What a batch has beyond all names. Warns: the run's verdict says where, and is incomplete.
{{ config(severity='warn') }}
select * from {{ ref('rpt_recon_bridge') }} where residual_minor != 0 or gap_minor != 0
