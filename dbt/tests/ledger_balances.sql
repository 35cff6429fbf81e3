-- Every journal balances per currency.
select journal_id, currency, sum(amount_minor) as balance_minor
from {{ ref('int_journal_entries') }}
group by journal_id, currency
having sum(amount_minor) != 0
