with lines as (
    select
        *,
        -- Identical lines are told apart by their order, so that every break keeps its id when a report is landed again.
        row_number() over (
            partition by
                livemode, gateway, gateway_account, type, psp_reference, merchant_reference,
                movement_reference, movement_merchant_reference
            order by report_date, batch_number, line_number, line_id
        ) as occurrence
    from {{ ref('fct_settlement_lines') }}
    where kind in ('payment', 'refund', 'unknown')
),

items as (
    select * from {{ ref('int_booked_items') }}
),

line_breaks as (
    select
        case
            when lines.kind = 'unknown' then 'unknown_type'
            when pairs.line_id is null then 'missing_with_us'
            when pairs.line_rank > 1 then 'duplicate'
            when lines.currency != items.currency then 'currency'
            when lines.gross_minor != items.amount_minor then 'amount'
        end as class,
        lines.livemode,
        lines.region,
        lines.gateway,
        lines.gateway_account,
        lines.kind,
        lines.type,
        lines.movement_reference as psp_reference,
        lines.movement_merchant_reference as merchant_reference,
        lines.occurrence,
        lines.line_id,
        items.item_id,
        items.payment_id,
        items.merchant_id,
        lines.currency as settled_currency,
        lines.gross_minor as settled_minor,
        lines.report_date as settled_on,
        -- A repeat explains itself alone: the item is already explained by its pair.
        case when pairs.line_rank = 1 then items.currency end as booked_currency,
        case when pairs.line_rank = 1 then items.amount_minor end as booked_minor,
        case when pairs.line_rank = 1 then items.booked_on end as booked_on
    from lines
    left join {{ ref('int_settlement_pairs') }} as pairs on lines.line_id = pairs.line_id
    left join items on pairs.item_id = items.item_id
),

item_breaks as (
    select
        'missing_at_gateway' as class,
        livemode,
        region,
        gateway,
        gateway_account,
        kind,
        cast(null as varchar) as type,
        movement_reference as psp_reference,
        movement_merchant_reference as merchant_reference,
        1 as occurrence,
        cast(null as varchar) as line_id,
        item_id,
        payment_id,
        merchant_id,
        cast(null as varchar) as settled_currency,
        cast(null as bigint) as settled_minor,
        cast(null as date) as settled_on,
        currency as booked_currency,
        amount_minor as booked_minor,
        booked_on
    from {{ ref('int_open_items') }}
    where not is_in_transit
),

breaks as (
    select * from line_breaks where class is not null
    union all
    select * from item_breaks
)

select
    {{ break_id(['class', 'livemode', 'gateway', 'gateway_account', 'kind', 'type', 'psp_reference', 'merchant_reference', 'occurrence']) }}
        as break_id,
    class,
    livemode,
    region,
    merchant_id,
    gateway,
    gateway_account,
    coalesce(settled_on, booked_on) as business_date,
    kind,
    psp_reference,
    merchant_reference,
    payment_id,
    item_id,
    line_id,
    coalesce(settled_currency, booked_currency) as currency,
    -- What the gateway has beyond our books, in `currency`; for class `currency` that is the whole settled amount.
    case
        when settled_currency is null then -booked_minor
        when booked_currency = settled_currency then settled_minor - booked_minor
        else settled_minor
    end as amount_minor,
    settled_currency,
    settled_minor,
    settled_on,
    booked_currency,
    booked_minor,
    booked_on
from breaks
