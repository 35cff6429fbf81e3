-- What is wrong with a line though its gross agrees: fees that are not the contract's, an exchange that does not lead from
-- one amount to the other, a moment that cannot be. One row for each thing, none for lines that are right.
with lines as (
    select * from {{ ref('fct_settlement_lines') }}
),

exchanged as (
    select
        lines.line_id,
        lines.net_minor + lines.fees_minor as received_minor,
        cast(round(
            try_cast(lines.gross_minor as decimal(14, 0)) * try_cast(lines.exchange_rate as decimal(15, 8))
            * {{ power_of_ten('net.exponent - gross.exponent', -4, 4) }}, 0
        ) as bigint) as expected_minor,
        -- The rate is printed rounded: half of its last digit, on the gross, is not an error.
        1 + cast(ceil(
            try_cast(abs(lines.gross_minor) as decimal(14, 0)) * {{ power_of_ten('net.exponent - gross.exponent', -4, 4) }} * 0.5
            * {{ power_of_ten("-length(split_part(lines.exchange_rate, '.', 2))", -8, 0) }}
        ) as bigint) as rounding_minor
    from lines
    inner join {{ ref('currencies') }} as gross on lines.currency = gross.currency
    inner join {{ ref('currencies') }} as net on lines.net_currency = net.currency
    where lines.is_movement and lines.currency != lines.net_currency and try_cast(lines.exchange_rate as decimal(15, 8)) > 0
)

-- Parts that differ and make the same sum are a break of 0: they went to the wrong accounts.
select line_id, 'fee' as class, cast(-sum(difference_minor) as bigint) as amount_minor
from {{ ref('fct_fee_anomalies') }} group by line_id
union all
select line_id, 'fx', received_minor - expected_minor
from exchanged where abs(received_minor - expected_minor) > rounding_minor
union all
select pairs.line_id, 'timing', 0
from ({{ ranked_pairs() }}) as pairs
inner join {{ ref('gateway_terms') }} as terms on pairs.gateway = terms.gateway
where
    pairs.line_rank = 1
    and pairs.kind in ('payment', 'refund')  -- of a dispute we hear when its news comes
    and (
        pairs.created_at > pairs.occurred_at + terms.late_hours_max * interval 1 hour
        or pairs.created_at < pairs.occurred_at - terms.early_days_max * interval 1 day
        or date_diff('day', pairs.booked_on, pairs.settled_on) > terms.transit_days_max
    )
