-- The volume by month = the payments, per livemode and currency.
with payments as (
    select livemode, currency, count(*) as row_count, sum(captured_minor) as captured, sum(refunded_minor) as refunded
    from {{ ref('fct_payments') }} group by all
),

months as (
    select livemode, currency, sum(payment_count) as row_count, sum(captured_minor) as captured, sum(refunded_minor) as refunded
    from {{ ref('rpt_volume_monthly') }} group by all
)

(from payments except from months)
union all
(from months except from payments)
