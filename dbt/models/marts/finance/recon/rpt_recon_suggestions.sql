-- Lines that name nothing of ours, beside open items of the same account, kind, currency and amount whose reference is
-- similar. For a person to decide: a suggestion matches nothing. The best three of each break.
with lines as (
    select * from {{ ref('fct_recon_breaks') }} where class = 'missing_with_us' and kind in ('payment', 'refund')
),

scored as (
    select
        lines.break_id,
        items.item_id,
        lines.livemode,
        lines.region,
        lines.currency,
        items.amount_minor,
        lines.psp_reference,
        items.movement_reference as item_psp_reference,
        greatest(
            coalesce(jaro_winkler_similarity(lines.psp_reference, items.movement_reference), 0),
            coalesce(jaro_winkler_similarity(lines.merchant_reference, items.movement_merchant_reference), 0)
        ) as similarity
    from lines
    inner join {{ ref('int_open_items') }} as items
        on lines.livemode = items.livemode
        and lines.gateway = items.gateway
        and lines.gateway_account = items.gateway_account
        and lines.kind = items.kind
        and lines.currency = items.currency
        and lines.settled_minor = items.amount_minor
)

select
    break_id,
    item_id,
    livemode,
    region,
    currency,
    amount_minor,
    psp_reference,
    item_psp_reference,
    cast(round(similarity, 4) as decimal(5, 4)) as score
from scored
where similarity >= 0.9
qualify row_number() over (partition by break_id order by similarity desc, item_id) <= 3
