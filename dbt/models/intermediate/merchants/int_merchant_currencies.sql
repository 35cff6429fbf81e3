-- A declaration holds from when it was made until the next one.
with declarations as (
    select
        merchant_id,
        settlement_currency,
        created_at as declared_at
    from {{ ref('stg_merchant_created') }}
    union all
    select
        merchant_id,
        settlement_currency,
        updated_at as declared_at
    from {{ ref('stg_merchant_updated') }}
)

select
    merchant_id,
    settlement_currency,
    declared_at,
    coalesce(
        lead(declared_at) over (partition by merchant_id order by declared_at), timestamptz '9999-01-01 00:00:00+00'
    ) as replaced_at
from declarations
