-- The base of all rates is a currency like any other: one for one.
select rate_date, quote as currency, rate_e8 from {{ ref('stg_fx_rates') }}
union all
select rate_date, 'EUR' as currency, cast(100000000 as hugeint) as rate_e8 from {{ ref('int_fx_days') }}
