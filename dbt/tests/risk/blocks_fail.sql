-- A block and nothing else fails a payment as blocked, and no money moves for one.
select payment_id, decision, payment_status, failure_code
from {{ ref('fct_risk_decisions') }}
where
    (decision = 'block') != coalesce(failure_code = 'blocked_by_risk', false)
    or (decision = 'block' and payment_status != 'failed')
    or payment_status = 'unknown'
