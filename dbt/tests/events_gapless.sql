-- Per object, sequences run 1, 2, 3, …: nothing lost, nothing doubled between outbox and lake. A record in quarantine leaves a
-- gap, so this warns; whoever is on call for data looks at the quarantine table.
{{ config(severity='warn', meta={'owner': 'data'}) }}
select subject, count(*) as event_count, max(sequence) as last_sequence
from {{ source('lake', 'events') }}
group by subject
having count(*) != max(sequence) or min(sequence) != 1 or count(distinct sequence) != count(*)
