-- A statement's opening balance and its booked entries are its closing balance, and it has as many as it says.
with entries as (
    select statement_key, count(*) as entry_count, sum(amount_minor) as sum_minor
    from {{ ref('stg_bank_entries') }}
    where is_booked
    group by all
)

select statement_key, opening_minor + coalesce(entries.sum_minor, 0) - closing_minor as difference_minor
from {{ ref('stg_bank_statements') }} as statements
left join entries using (statement_key)
where difference_minor != 0 or statements.entry_count != coalesce(entries.entry_count, 0)
