-- Decisions and served values in the marts = the staged events, per livemode and decision.
with staged as (
    select livemode, decision, count(*) as row_count, sum(len(json_keys(features))) as value_count
    from {{ ref('stg_risk_assessed') }} group by all
),

marts as (
    select
        decisions.livemode,
        decisions.decision,
        count(*) as row_count,
        sum(coalesce(served.value_count, 0)) as value_count
    from {{ ref('fct_risk_decisions') }} as decisions
    left join (
        select payment_id, attempt_number, count(*) as value_count
        from {{ ref('fct_fraud_features') }} group by all
    ) as served
        on decisions.payment_id = served.payment_id and decisions.attempt_number = served.attempt_number
    group by all
)

(select * from staged except select * from marts)
union all
(select * from marts except select * from staged)
