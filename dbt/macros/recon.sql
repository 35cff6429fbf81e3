{# A settlement line and a booked item as one row. #}
{% macro pair_columns() -%}
    lines.line_id,
    items.item_id,
    lines.livemode,
    lines.region,
    items.merchant_id,
    lines.gateway,
    lines.gateway_account,
    lines.kind,
    lines.type,
    items.payment_id,
    lines.psp_reference as payment_reference,
    lines.movement_reference,
    lines.movement_merchant_reference,
    lines.currency as settled_currency,
    lines.gross_minor as settled_minor,
    lines.report_date as settled_on,
    lines.batch_number,
    lines.line_number,
    lines.created_at,
    items.currency as booked_currency,
    items.amount_minor as booked_minor,
    items.booked_on,
    items.occurred_at
{%- endmacro %}

{# Every pair of a line and an item by reference, best line first where an item has several. #}
{% macro ranked_pairs() -%}
    select pairs.*, coalesce(ranks.line_rank, 1) as line_rank,
        coalesce(ranks.line_rank, 1) = 1
        and pairs.settled_minor = pairs.booked_minor
        and pairs.settled_currency = pairs.booked_currency as is_equal
    from (
        select *, 'exact' as pass from {{ ref('int_settlement_pairs') }}
        union all
        select *, 'modification' from {{ ref('int_modified_pairs') }}
    ) as pairs
    left join {{ ref('int_pair_ranks') }} as ranks on pairs.line_id = ranks.line_id
{%- endmacro %}

{# A share of an amount in whole minor units, rounded half to even, in integers. #}
{% macro share(amount, millionths) -%}
    (
        {{ amount }} * {{ millionths }} // 1000000
        + case
            when 2 * ({{ amount }} * {{ millionths }} % 1000000) > 1000000 then 1
            when 2 * ({{ amount }} * {{ millionths }} % 1000000) = 1000000 then {{ amount }} * {{ millionths }} // 1000000 % 2
            else 0
        end
    )
{%- endmacro %}

{# 10 to a small whole power, exactly. DuckDB's decimals have 38 digits, and a product as many as its factors together. #}
{% macro power_of_ten(exponent, least, most) -%}
    case greatest({{ least }}, least({{ most }}, {{ exponent }}))
        {%- for power in range(least, most + 1) %} when {{ power }} then cast('1e{{ power }}' as decimal({{ most + 1 - least }}, {{ -least }})) {%- endfor %}
    end
{%- endmacro %}

{# Kinds of lines that move a payer's money, or may: what must be explained. #}
{% macro movement_kinds() -%}
    'payment', 'payment_reversal', 'refund', 'refund_reversal', 'chargeback', 'second_chargeback', 'chargeback_reversal', 'unknown'
{%- endmacro %}

{# Kinds of lines about disputes. #}
{% macro dispute_kinds() -%}
    'chargeback', 'second_chargeback', 'chargeback_reversal'
{%- endmacro %}

{# What a journal books, in the words of settlement lines. #}
{% macro booked_kind(kind) -%}
    case {{ kind }}
        when 'capture' then 'payment' when 'dispute' then 'chargeback' when 'dispute_again' then 'second_chargeback'
        when 'dispute_won' then 'chargeback_reversal' else {{ kind }}
    end
{%- endmacro %}

{# Kinds of the journals that originate a movement at a gateway. What reconciliation posts is none of them. #}
{% macro originating_kinds() -%}
    'payment', 'capture', 'refund', 'dispute', 'dispute_again', 'dispute_won'
{%- endmacro %}

{# A line and an item of one account at a gateway, and of one kind. #}
{% macro same_place() -%}
    lines.kind = items.kind
    and lines.gateway_account = items.gateway_account
    and lines.gateway = items.gateway
    and lines.livemode = items.livemode
{%- endmacro %}
