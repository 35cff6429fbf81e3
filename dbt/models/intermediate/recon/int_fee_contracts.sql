-- Contracts with the moments between which they hold, and how much they name: of those about a line, the most specific names most.
select
    contracts.contract,
    contracts.gateway,
    contracts.gateway_account,
    contracts.payment_method,
    contracts.payment_method_variant,
    contracts.region,
    contracts.currency,
    coalesce(timezone(run.timezone, cast(contracts.valid_from as timestamp)), timestamptz '-infinity') as from_at,
    coalesce(timezone(run.timezone, cast(contracts.valid_until as timestamp)), timestamptz 'infinity') as until_at,
    {% for name in ['gateway_account', 'payment_method', 'payment_method_variant', 'region', 'currency'] -%}
    {{ '+ ' if not loop.first }}cast(contracts.{{ name }} != '*' as integer)
    {% endfor -%} as named_count
from {{ ref('fee_contracts') }} as contracts
cross join {{ source('lake', 'run') }} as run
