-- No conversion where none is needed; NULL exactly where there is a reason; every payment is there once.
select payments.payment_id, 'converted into its own currency' as problem
from {{ ref('fct_payments') }} as payments
where payments.currency = payments.merchant_currency and payments.merchant_amount_minor is distinct from payments.amount_minor
union all
select payment_id, 'euros converted into euros'
from {{ ref('fct_payments') }}
where currency = 'EUR' and eur_amount_minor is distinct from amount_minor
union all
select payment_id, 'NULL without a reason, or a reason without NULL'
from {{ ref('fct_payments') }}
where (merchant_amount_minor is null or eur_amount_minor is null) != (fx_missing_reason is not null)
union all
select payment_id, 'converted without a day of rates'
from {{ ref('fct_payments') }}
where fx_source != 'identity' and fx_rate_date is null and currency != merchant_currency and merchant_amount_minor is not null
union all
select payment_id, 'a rate from after the payment'
from {{ ref('fct_payments') }}
where fx_rate_date > cast(timezone('Europe/Berlin', coalesce(succeeded_at, created_at)) as date)
union all
select cast(count(*) as varchar), 'payments lost or doubled'
from {{ ref('int_payment_fx') }}
having count(*) != (select count(*) from {{ ref('stg_payment_created') }})
