-- Where report and books disagree. A break with `settled_minor` or `booked_minor` explains a difference; one without (fee, fx,
-- timing, split) is about a line whose gross is explained.
with numbered as (
    select
        * replace (case when kind in ({{ dispute_kinds() }}) then payment_reference else movement_reference end as movement_reference),
        -- Lines that say the same are told apart by their order, so that every break keeps its id when a report is landed again.
        row_number() over (
            partition by
                livemode, gateway, gateway_account, type,
                case when kind in ({{ dispute_kinds() }}) then payment_reference else movement_reference end, movement_merchant_reference
            order by line_rank, settled_on, batch_number, line_number, line_id
        ) as occurrence
    from {{ ref('int_leftover_lines') }}
),

lines as (
    select * from numbered
    where
        line_id not in (select grouped.line_id from {{ ref('int_grouped_lines') }} as grouped)
        and line_id not in (select tolerated.line_id from {{ ref('int_tolerated_lines') }} as tolerated)
),

payments as (
    select * from {{ ref('int_booked_items') }} where kind = 'payment'
),

line_breaks as (
    select
        case
            when lines.kind = 'unknown' then 'unknown_type'
            when lines.kind in ({{ dispute_kinds() }}) and lines.item_id is null then 'chargeback'
            when lines.item_id is null then 'missing_with_us'
            when lines.line_rank > 1 then 'duplicate'
            when lines.settled_currency != lines.booked_currency then 'currency'
            else 'amount'
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
        lines.item_id,
        coalesce(lines.payment_id, payments.payment_id) as payment_id,
        coalesce(lines.merchant_id, payments.merchant_id) as merchant_id,
        lines.settled_currency,
        lines.settled_minor,
        lines.settled_on,
        -- A repeat explains itself alone: the item is already explained by its pair.
        case when lines.line_rank = 1 then lines.booked_currency end as booked_currency,
        case when lines.line_rank = 1 then lines.booked_minor end as booked_minor,
        case when lines.line_rank = 1 then lines.booked_on end as booked_on,
        lines.batch_number,
        lines.settled_currency as currency,
        case
            when lines.line_rank = 1 and lines.settled_currency = lines.booked_currency then lines.settled_minor - lines.booked_minor
            else lines.settled_minor
        end as amount_minor
    from lines
    left join payments
        on lines.item_id is null
        and lines.payment_reference = payments.payment_reference
        and lines.gateway_account = payments.gateway_account
        and lines.gateway = payments.gateway
        and lines.livemode = payments.livemode
    qualify row_number() over (partition by lines.line_id order by payments.item_id) = 1
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
        booked_on,
        cast(null as integer) as batch_number,
        currency,
        -amount_minor as amount_minor
    from {{ ref('int_open_items') }}
    where not is_in_transit
),

-- One for each group in which a line is a part though its type does not say so.
splits as (
    select
        'split' as class,
        lines.line_id,
        cast(0 as bigint) as amount_minor
    from {{ ref('int_grouped_lines') }} as grouped
    inner join {{ ref('int_leftover_lines') }} as lines on grouped.line_id = lines.line_id
    left join {{ ref('settlement_types') }} as types on lines.type = types.type
    where grouped.pass = 'group'
    qualify
        row_number() over (partition by grouped.match_id order by lines.line_id) = 1
        and count(*) over (partition by grouped.match_id) + len(grouped.item_ids) > 2
        and not bool_and(coalesce(types.is_in_parts, false)) over (partition by grouped.match_id)
),

checks as (
    select class, line_id, amount_minor from {{ ref('int_line_checks') }}
    union all
    select class, line_id, amount_minor from splits
),

-- Each of a line: its id tells equal ones apart.
check_breaks as (
    select
        checks.class,
        lines.livemode,
        lines.region,
        lines.gateway,
        lines.gateway_account,
        lines.kind,
        lines.type,
        lines.movement_reference as psp_reference,
        lines.movement_merchant_reference as merchant_reference,
        dense_rank() over (
            partition by
                checks.class, lines.livemode, lines.gateway, lines.gateway_account, lines.type, lines.movement_reference,
                lines.movement_merchant_reference
            order by lines.report_date, lines.batch_number, lines.line_number, lines.line_id
        ) as occurrence,
        lines.line_id,
        cast(null as varchar) as item_id,
        payments.payment_id,
        payments.merchant_id,
        cast(null as varchar) as settled_currency,
        cast(null as bigint) as settled_minor,
        lines.report_date as settled_on,
        cast(null as varchar) as booked_currency,
        cast(null as bigint) as booked_minor,
        cast(null as date) as booked_on,
        lines.batch_number,
        lines.net_currency as currency,
        checks.amount_minor
    from checks
    inner join {{ ref('fct_settlement_lines') }} as lines on checks.line_id = lines.line_id
    left join payments
        on lines.psp_reference = payments.payment_reference
        and lines.gateway_account = payments.gateway_account
        and lines.gateway = payments.gateway
        and lines.livemode = payments.livemode
    qualify row_number() over (partition by lines.line_id, checks.class order by payments.item_id) = 1
),

breaks as (
    select * from line_breaks
    union all
    select * from item_breaks
    union all
    select * from check_breaks
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
    batch_number,
    kind,
    psp_reference,
    merchant_reference,
    payment_id,
    item_id,
    line_id,
    currency,
    amount_minor,
    settled_currency,
    settled_minor,
    settled_on,
    booked_currency,
    booked_minor,
    booked_on
from breaks
