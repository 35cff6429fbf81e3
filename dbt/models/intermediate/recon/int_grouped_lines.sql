-- Pass 3, group: what is left of one payment, in one kind and currency, adds up on both sides (1:N, N:1, N:M).
-- Pass 4, offset: lines of one payment and family, in one currency, that undo each other; our books have nothing of it.
with lines as (
    select * from {{ ref('int_leftover_lines') }} where payment_reference is not null
),

{% set group_key = 'livemode, region, gateway, gateway_account, kind, payment_reference, currency' -%}
booked as (
    select {{ group_key }}, sum(amount_minor) as amount_minor, array_agg(item_id order by item_id) as item_ids
    from {{ ref('int_leftover_items') }}
    where payment_reference is not null
    group by all
),

settled as (
    select
        livemode, region, gateway, gateway_account, kind, payment_reference, settled_currency as currency,
        sum(settled_minor) as amount_minor,
        array_agg(line_id order by line_id) as line_ids
    from lines
    where kind in ('payment', 'refund')
    group by all
),

groups as (
    select settled.*, booked.item_ids
    from settled
    inner join booked using ({{ group_key }})
    where settled.amount_minor = booked.amount_minor
),

grouped as (
    select
        unnest(line_ids) as line_id,
        'group' as pass,
        {{ match_id(["array_to_string(line_ids, ',')", "array_to_string(item_ids, ',')"]) }} as match_id,
        item_ids
    from groups
),

families as (
    select
        *,
        case kind
            when 'payment_reversal' then 'payment' when 'refund_reversal' then 'refund'
            when 'chargeback_reversal' then 'chargeback' when 'second_chargeback' then 'chargeback' else kind
        end as family
    from lines
    where
        kind != 'unknown'
        and (item_id is null or line_rank > 1)
        and line_id not in (select grouped.line_id from grouped)
),

offsets as (
    select livemode, region, gateway, gateway_account, family, payment_reference, settled_currency, array_agg(line_id order by line_id) as line_ids
    from families
    group by all
    having sum(settled_minor) = 0 and count(*) > 1
)

select line_id, pass, match_id, item_ids from grouped
union all
select unnest(line_ids), 'offset', {{ match_id(["array_to_string(line_ids, ',')", "''"]) }}, cast([] as varchar[])
from offsets
