-- Booked items that no settlement line explains or names, and whether they are still on their way: in transit until a closed
-- batch covers the item plus the gateway's grace, but never for more than `transit_days_max` days. A batch covers what
-- happened before it was closed and before its business day was over.
with batches as (
    select
        lines.livemode,
        lines.gateway,
        lines.gateway_account,
        max(least(
            lines.closed_at, timezone(run.timezone, cast(lines.report_date + interval 1 day as timestamp))
        )) as covered_until
    from {{ ref('fct_settlement_lines') }} as lines
    cross join {{ source('lake', 'run') }} as run
    group by lines.livemode, lines.gateway, lines.gateway_account
),

named as (
    select item_id from {{ ref('int_leftover_lines') }}
    where line_rank = 1 and line_id not in (select line_id from {{ ref('int_grouped_lines') }})
),

grouped as (
    select item_id from {{ ref('int_grouped_items') }}
)

select
    items.item_id,
    items.kind,
    items.payment_id,
    items.livemode,
    items.region,
    items.merchant_id,
    items.gateway,
    items.gateway_account,
    items.movement_reference,
    items.movement_merchant_reference,
    items.currency,
    items.amount_minor,
    items.booked_on,
    not coalesce(
        batches.covered_until >= items.occurred_at + coalesce(terms.grace_hours, 0) * interval 1 hour, false
    )
    and date_diff('day', items.booked_on, run.business_date) <= coalesce(terms.transit_days_max, 0) as is_in_transit
from {{ ref('int_leftover_items') }} as items
cross join {{ source('lake', 'run') }} as run
left join {{ ref('gateway_terms') }} as terms on items.gateway = terms.gateway
left join batches
    on items.livemode = batches.livemode
    and items.gateway = batches.gateway
    and items.gateway_account = batches.gateway_account
where
    items.item_id not in (select named.item_id from named)
    and items.item_id not in (select grouped.item_id from grouped)
