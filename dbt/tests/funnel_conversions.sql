-- Every session with a successful payment converted. A session whose steps came in another order than the funnel's (clocks of
-- two machines) drops out of it: that is worth a look by whoever owns growth, and no reason to hold back the books.
{{ config(severity='warn', meta={'owner': 'growth'}) }}
select session_id
from {{ ref('stg_payment_succeeded') }}
except
select session_id from {{ ref('fct_funnel_sessions') }} where is_converted
