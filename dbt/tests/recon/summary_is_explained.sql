-- Σ settled − Σ booked − Σ explained is zero to the minor unit, and no ledger entry is without its movement.
select *
from {{ ref('rpt_recon_summary') }}
where unexplained_minor != 0 or gateway_account = 'unknown'
