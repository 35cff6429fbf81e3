-- A payment is converted at the rates known when its money moved: at success, before that at creation. Its merchant's currency
-- is the one declared by then; a merchant from before declarations is paid out in the region's first.
with moments as (
    select
        created.payment_id,
        created.currency,
        created.amount_minor,
        created.merchant_id,
        coalesce(succeeded.succeeded_at, created.created_at) as rated_at
    from {{ ref('stg_payment_created') }} as created
    left join {{ ref('stg_payment_succeeded') }} as succeeded on created.payment_id = succeeded.payment_id
),

payments as (
    select
        moments.payment_id,
        moments.currency,
        moments.amount_minor,
        moments.rated_at,
        coalesce(declared.settlement_currency, run.default_currency) as merchant_currency
    from moments
    cross join {{ source('lake', 'run') }} as run
    left join {{ ref('int_merchant_currencies') }} as declared
        on
            moments.merchant_id = declared.merchant_id
            and moments.rated_at >= declared.declared_at
            and moments.rated_at < declared.replaced_at
),

dated as (
    select
        payments.payment_id,
        payments.currency,
        payments.amount_minor,
        payments.merchant_currency,
        days.rate_date,
        days.source,
        payments.currency = payments.merchant_currency and payments.currency = 'EUR' as is_identity
    from payments
    left join {{ ref('int_fx_days') }} as days
        on payments.rated_at >= days.applies_from and payments.rated_at < days.applies_until
),

rated as (
    select
        dated.payment_id,
        dated.currency,
        dated.amount_minor,
        dated.merchant_currency,
        dated.rate_date,
        dated.source,
        dated.is_identity,
        own.rate_e8 as own_e8,
        merchant.rate_e8 as merchant_e8,
        euro.rate_e8 as euro_e8,
        own_unit.exponent as own_exponent,
        merchant_unit.exponent as merchant_exponent,
        euro_unit.exponent as euro_exponent
    from dated
    left join {{ ref('int_fx_quotes') }} as own
        on dated.rate_date = own.rate_date and dated.currency = own.currency
    left join {{ ref('int_fx_quotes') }} as merchant
        on dated.rate_date = merchant.rate_date and dated.merchant_currency = merchant.currency
    left join {{ ref('int_fx_quotes') }} as euro
        on dated.rate_date = euro.rate_date and euro.currency = 'EUR'
    left join {{ ref('currencies') }} as own_unit on dated.currency = own_unit.currency
    left join {{ ref('currencies') }} as merchant_unit on dated.merchant_currency = merchant_unit.currency
    left join {{ ref('currencies') }} as euro_unit on euro_unit.currency = 'EUR'
),

converted as (
    select
        payment_id,
        merchant_currency,
        rate_date,
        source,
        is_identity,
        case
            when currency = merchant_currency then amount_minor
            else {{ fx_convert_minor('amount_minor', 'own_e8', 'merchant_e8', 'own_exponent', 'merchant_exponent') }}
        end as merchant_amount_minor,
        case
            when currency = 'EUR' then amount_minor
            else {{ fx_convert_minor('amount_minor', 'own_e8', 'euro_e8', 'own_exponent', 'euro_exponent') }}
        end as eur_amount_minor
    from rated
)

select
    payment_id,
    merchant_currency,
    merchant_amount_minor,
    eur_amount_minor,
    case when not is_identity then rate_date end as fx_rate_date,
    case when is_identity then 'identity' else source end as fx_source,
    case
        when merchant_amount_minor is not null and eur_amount_minor is not null then null
        when rate_date is null then 'no_publication'
        else 'currency_not_quoted'
    end as fx_missing_reason
from converted
