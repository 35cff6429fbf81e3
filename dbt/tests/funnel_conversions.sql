-- Every session whose payment succeeded within the window converted; a payer who pays later is money, and no conversion. A session
-- whose steps came in another order than the funnel's (clocks of two machines) drops out of it: that is worth a look by whoever
-- owns growth, and no reason to hold back the books.
{{ config(severity='warn', meta={'owner': 'growth'}) }}
{% set funnel = checkout_funnel() -%}
select paid.session_id
from {{ ref('stg_payment_succeeded') }} as paid
inner join {{ ref('stg_checkout_opened') }} as opened on paid.session_id = opened.session_id
where paid.succeeded_at <= opened.opened_at + to_hours({{ funnel.window_hours }})
except
select session_id from {{ ref('fct_funnel_sessions') }} where is_converted
