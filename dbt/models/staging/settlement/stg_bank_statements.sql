select
    statement_key,
    region,
    livemode,
    account,
    currency,
    statement_date,
    statement_id,
    sequence,
    format,
    opening_minor,
    closing_minor,
    entry_count,
    pending_count,
    sum_minor,
    file_hash,
    lake_seq
from {{ source('lake', 'bank_statements') }}
where format in ('camt.053', 'mt940')
