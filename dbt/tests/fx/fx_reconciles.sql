-- Σ of the converted amounts = the converted Σ of the amounts, per currency and day of rates: no more than half a cent a payment apart.
with sums as (
    select
        currency,
        fx_rate_date,
        count(*) as payment_count,
        sum(amount_minor) as amount_minor,
        sum(eur_amount_minor) as eur_amount_minor
    from {{ ref('fct_payments') }}
    where eur_amount_minor is not null and currency != 'EUR'
    group by all
)

select sums.*, quotes.rate_e8
from sums
left join {{ ref('int_fx_quotes') }} as quotes
    on sums.fx_rate_date = quotes.rate_date and sums.currency = quotes.currency
left join {{ ref('currencies') }} as own on sums.currency = own.currency
where
    quotes.rate_e8 is null
    or 2 * abs(
        sums.eur_amount_minor * quotes.rate_e8 * cast(10 ** own.exponent as hugeint) - sums.amount_minor * cast(10000000000 as hugeint)
    ) > sums.payment_count * quotes.rate_e8 * cast(10 ** own.exponent as hugeint)
