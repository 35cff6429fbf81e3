-- Exactly what checkout was served. `meridian fraud parity` computes the same values again from history.
with named as (
    select
        payment_id,
        attempt_number,
        livemode,
        region,
        merchant_id,
        features_version,
        features,
        as_of,
        unnest(json_keys(features)) as feature
    from {{ ref('stg_risk_assessed') }}
)

select
    payment_id,
    attempt_number,
    feature,
    livemode,
    region,
    merchant_id,
    features_version,
    cast(json_extract_string(features, feature) as bigint) as feature_value,
    as_of as assessed_at
from named
