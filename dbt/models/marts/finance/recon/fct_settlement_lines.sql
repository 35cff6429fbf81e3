-- What a line is to us: a payment or refund that must match, a fee, a payout, or a type that we do not know.
select
    line_id,
    livemode,
    region,
    gateway,
    gateway_account,
    report_date,
    batch_number,
    line_number,
    type,
    case type
        when 'Settled' then 'payment'
        when 'Refunded' then 'refund'
        when 'Fee' then 'fee'
        when 'MerchantPayout' then 'payout'
        else 'unknown'
    end as kind,
    psp_reference,
    merchant_reference,
    modification_reference,
    modification_merchant_reference,
    -- What identifies the money movement itself: a refund line names its payment first and itself second.
    case type when 'Refunded' then modification_reference else psp_reference end as movement_reference,
    case type when 'Refunded' then modification_merchant_reference else merchant_reference end as movement_merchant_reference,
    payment_method,
    coalesce(gross_currency, net_currency) as currency,
    gross_minor,
    net_currency,
    net_minor,
    commission_minor + markup_minor + scheme_fees_minor + interchange_minor as fees_minor,
    created_at,
    booked_at,
    closed_at,
    file_hash
from {{ ref('stg_settlement_lines') }}
