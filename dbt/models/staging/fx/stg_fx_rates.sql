select
    rate_date,
    published_at,
    base,
    quote,
    rate,
    cast(cast(rate as decimal(38, 8)) * 100000000 as hugeint) as rate_e8,
    source,
    file_sha256,
    lake_seq
from {{ source('lake', 'fx_rates') }}
