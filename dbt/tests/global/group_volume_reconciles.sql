-- Where rows may leave, they add up to the aggregates that left beside them.
with aggregates as (
    select
        region, livemode, currency,
        sum(payment_count) as row_count, sum(captured_minor) as captured, sum(refunded_minor) as refunded
    from {{ ref('rpt_group_volume') }}
    where region in (select region from {{ ref('rpt_group_coverage') }} where export = 'columns')
    group by region, livemode, currency
),

payments as (
    select
        region, livemode, currency,
        sum(payment_count) as row_count, sum(captured_minor) as captured, sum(refunded_minor) as refunded
    from {{ ref('fct_group_payments') }}
    group by region, livemode, currency
)

(from aggregates except from payments)
union all
(from payments except from aggregates)
