-- Per payment, what was refunded agrees between the two marts and never exceeds what was captured.
with refunds as (
    select payment_id, sum(refunded_minor) as refunded_minor from {{ ref('fct_refunds') }} group by payment_id
)

select payments.payment_id, payments.captured_minor, payments.refunded_minor, refunds.refunded_minor as refunds_minor
from {{ ref('fct_payments') }} as payments
left join refunds on payments.payment_id = refunds.payment_id
where
    payments.refunded_minor > payments.captured_minor
    or payments.refunded_minor != coalesce(refunds.refunded_minor, 0)
