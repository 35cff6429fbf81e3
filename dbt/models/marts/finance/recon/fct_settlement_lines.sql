-- What a line is to us, by its journal type: a movement of a payer's money that must be explained, or something else.
select
    line_id,
    livemode,
    region,
    gateway,
    gateway_account,
    report_date,
    batch_number,
    line_number,
    lines.type,
    coalesce(types.kind, 'unknown') as kind,
    coalesce(types.kind, 'unknown') in ({{ movement_kinds() }}) as is_movement,
    psp_reference,
    merchant_reference,
    modification_reference,
    modification_merchant_reference,
    -- What identifies the money movement itself: a refund, and a capture that we asked for, name the payment first and
    -- themselves second. A chargeback names the payment first, and its dispute second.
    case
        when types.kind in ({{ dispute_kinds() }}) then coalesce(nullif(modification_reference, ''), psp_reference)
        when types.kind in ('refund', 'refund_reversal') or starts_with(modification_merchant_reference, 'cap_') then modification_reference
        else psp_reference
    end as movement_reference,
    case
        when types.kind in ('refund', 'refund_reversal') or starts_with(modification_merchant_reference, 'cap_')
            then modification_merchant_reference
        else merchant_reference
    end as movement_merchant_reference,
    payment_method,
    payment_method_variant,
    coalesce(gross_currency, net_currency) as currency,
    -- A movement without its gross is taken at what it moved before fees.
    case
        when gross_currency is null and coalesce(types.kind, 'unknown') in ({{ movement_kinds() }})
            then net_minor + commission_minor + markup_minor + scheme_fees_minor + interchange_minor
        else gross_minor
    end as gross_minor,
    exchange_rate,
    net_currency,
    net_minor,
    commission_minor,
    markup_minor,
    scheme_fees_minor,
    interchange_minor,
    commission_minor + markup_minor + scheme_fees_minor + interchange_minor as fees_minor,
    created_at,
    booked_at,
    closed_at,
    file_hash
from {{ ref('stg_settlement_lines') }} as lines
left join {{ ref('settlement_types') }} as types on lines.type = types.type
