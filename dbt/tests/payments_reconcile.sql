-- Σ captured and Σ refunded in the mart = the staged events, per livemode and currency.
with staged as (
    select livemode, currency, 'captured' as measure, sum(amount_minor) as amount_minor, count(distinct payment_id) as row_count
    from {{ ref('int_captures') }} group by all
    union all
    select livemode, currency, 'refunded', sum(amount_minor), count(*)
    from {{ ref('stg_refund_succeeded') }} group by all
    union all
    select livemode, currency, 'created', sum(amount_minor), count(*)
    from {{ ref('stg_payment_created') }} group by all
),

marts as (
    select livemode, currency, 'captured' as measure, sum(captured_minor) as amount_minor, count(*) as row_count
    from {{ ref('fct_payments') }} where status = 'succeeded' group by all
    union all
    select livemode, currency, 'refunded', sum(refunded_minor), count(*)
    from {{ ref('fct_refunds') }} where status = 'succeeded' group by all
    union all
    select livemode, currency, 'created', sum(amount_minor), count(*)
    from {{ ref('fct_payments') }} group by all
)

(select * from staged except select * from marts)
union all
(select * from marts except select * from staged)
