-- What a batch says that it paid out to our bank, in each currency.
select
    concat_ws('/', gateway, gateway_account, batch_number, net_currency) as payout_key,
    livemode,
    region,
    gateway,
    gateway_account,
    batch_number,
    net_currency as currency,
    split_part(coalesce(min(modification_reference), ''), ' ', 1) as payout_reference,
    min(report_date) as paid_out_on,
    cast(-sum(net_minor) as bigint) as paid_out_minor
from {{ ref('fct_settlement_lines') }}
where kind = 'payout'
group by all
having sum(net_minor) != 0
