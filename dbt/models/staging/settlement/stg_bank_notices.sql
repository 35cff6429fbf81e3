-- Entries that a bank has announced (camt.052, camt.054) before a statement states them. They are in no balance.
select
    entries.entry_id,
    entries.statement_key,
    entries.region,
    entries.livemode,
    entries.account,
    entries.currency,
    statements.format,
    entries.statement_date as announced_on,
    entries.booking_date,
    entries.status,
    entries.amount_minor,
    entries.bank_reference,
    entries.reference_text,
    entries.file_hash,
    entries.lake_seq
from {{ source('lake', 'bank_entries') }} as entries
inner join {{ source('lake', 'bank_statements') }} as statements using (statement_key, file_hash)
where statements.format in ('camt.052', 'camt.054')
