-- A batch pays out what its lines add up to.
select gateway, gateway_account, batch_number, net_currency, sum(net_minor) as difference_minor
from {{ ref('fct_settlement_lines') }}
group by all
having sum(net_minor) != 0
