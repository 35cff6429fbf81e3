-- Entries of statements, not of what only announces them. Of each statement the entries of the file that its row names: a landing that stopped half way is not seen.
select
    entries.entry_id,
    entries.statement_key,
    entries.region,
    entries.livemode,
    entries.account,
    entries.currency,
    entries.statement_date,
    entries.entry_number,
    entries.line_number,
    entries.booking_date,
    entries.value_date,
    entries.kind,
    entries.status,
    entries.status = 'BOOK' as is_booked,
    entries.amount_minor,
    entries.transaction_code,
    entries.bank_reference,
    entries.reference_text,
    entries.detail_count,
    entries.instructed_currency,
    entries.instructed_minor,
    entries.exchange_rate,
    entries.file_hash,
    entries.lake_seq
from {{ source('lake', 'bank_entries') }} as entries
inner join {{ source('lake', 'bank_statements') }} as statements using (statement_key, file_hash)
where statements.format in ('camt.053', 'mt940')
