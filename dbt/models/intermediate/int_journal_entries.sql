with journals as (
    select *, unnest(from_json_strict(
        entries, '[{"line":"INTEGER","account":"VARCHAR","currency":"VARCHAR","amount_minor":"BIGINT"}]'
    )) as entry
    from {{ ref('stg_journal_posted') }}
)

select
    journal_id,
    entry.line,
    kind,
    source_id,
    merchant_id,
    livemode,
    region,
    entry.account,
    entry.currency,
    entry.amount_minor,
    occurred_at,
    accounting_date
from journals
