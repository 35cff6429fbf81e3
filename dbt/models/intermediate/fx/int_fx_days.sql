-- A day applies from its publication until the next one's, for six days at most: nobody sees a rate before it is known.
with days as (
    select
        rate_date,
        min(published_at) as published_at,
        min(source) as source
    from {{ ref('stg_fx_rates') }}
    group by rate_date
)

select
    rate_date,
    source,
    published_at as applies_from,
    least(
        coalesce(lead(published_at) over (order by rate_date), timestamptz '9999-01-01 00:00:00+00'),
        {{ fx_expires_at('rate_date') }}
    ) as applies_until
from days
