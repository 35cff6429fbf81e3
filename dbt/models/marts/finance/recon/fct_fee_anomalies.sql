-- What gateways kept of lines against the contract that holds for each: the most specific one of those that are about it on the day on
-- which the gateway made it. Lines share few traits, so contracts are chosen for traits, and times, not for lines.
{% set components = ['interchange', 'scheme', 'markup', 'commission'] -%}
{% set traits = 'gateway, gateway_account, payment_method, payment_method_variant, region, currency' -%}
with lines as (
    select
        * replace (coalesce(payment_method, '') as payment_method, coalesce(payment_method_variant, '') as payment_method_variant)
    from {{ ref('fct_settlement_lines') }}
    where
        kind in ('payment', 'refund', {{ dispute_kinds() }})
        and currency = net_currency
        and gateway in (select contracts.gateway from {{ ref('int_fee_contracts') }} as contracts)
        -- Of an amount that is itself in doubt there is no right fee.
        and line_id not in (
            select disputed.line_id from {{ ref('int_leftover_lines') }} as disputed
            where
                disputed.line_rank = 1
                and disputed.line_id not in (select grouped.line_id from {{ ref('int_grouped_lines') }} as grouped)
        )
),

traits as (
    select {{ traits }} from lines group by all
),

fitting as (
    select
        {% for name in traits.split(', ') -%} traits.{{ name }}, {% endfor %}
        contracts.contract, contracts.from_at, contracts.until_at, contracts.named_count
    from traits
    inner join {{ ref('int_fee_contracts') }} as contracts
        on traits.gateway = contracts.gateway
        {%- for name in ['gateway_account', 'payment_method', 'payment_method_variant', 'region', 'currency'] %}
        and contracts.{{ name }} in (traits.{{ name }}, '*')
        {%- endfor %}
),

-- From each of these moments another contract may hold.
moments as (
    select {{ traits }}, from_at as at_ from fitting
    union
    select {{ traits }}, until_at from fitting where until_at < timestamptz 'infinity'
),

times as (
    select *, lead(at_, 1, timestamptz 'infinity') over (partition by {{ traits }} order by at_) as until_at from moments
),

-- Contracts of which two could hold are refused before; if they came here, the grain of lines would break.
held as (
    select
        {% for name in traits.split(', ') -%} times.{{ name }}, {% endfor %}
        times.at_ as from_at, times.until_at, fitting.contract
    from times
    inner join fitting using ({{ traits }})
    where fitting.from_at <= times.at_ and times.at_ < fitting.until_at
    qualify rank() over (partition by {{ traits }}, times.at_ order by fitting.named_count desc) = 1
),

kinds as (
    select unnest(['payment', 'refund', {{ dispute_kinds() }}]) as kind
),

-- The terms of the currency, else those of any, side by side.
terms as (
    select
        {% for name in traits.split(', ') -%} held.{{ name }}, {% endfor %}
        held.from_at, held.until_at, held.contract, kinds.kind
        {%- for name in components %},
        arg_max(terms.percent_millionths, terms.currency != '*') filter (where terms.component = '{{ name }}') as {{ name }}_millionths,
        arg_max(terms.fixed_minor, terms.currency != '*') filter (where terms.component = '{{ name }}') as {{ name }}_fixed,
        arg_max(terms.minimum_minor, terms.currency != '*') filter (where terms.component = '{{ name }}') as {{ name }}_least,
        arg_max(coalesce(terms.maximum_minor, 9223372036854775807), terms.currency != '*')
            filter (where terms.component = '{{ name }}') as {{ name }}_most
        {%- endfor %}
    from held
    cross join kinds
    left join {{ ref('fee_terms') }} as terms
        on held.contract = terms.contract and kinds.kind = terms.kind and terms.currency in (held.currency, '*')
    group by all
),

expected as (
    select
        lines.*,
        terms.contract
        {%- for name in components %},
        case
            when terms.{{ name }}_millionths is null then 0
            else least(
                greatest({{ share('abs(lines.gross_minor)', 'terms.' ~ name ~ '_millionths') }} + terms.{{ name }}_fixed, terms.{{ name }}_least),
                terms.{{ name }}_most
            )
        end as {{ name }}_expected
        {%- endfor %}
    from lines
    left join terms
        on {% for name in traits.split(', ') -%} lines.{{ name }} = terms.{{ name }} and {% endfor %}
        lines.kind = terms.kind and lines.created_at >= terms.from_at and lines.created_at < terms.until_at
),

different as (
    select * from expected
    where
        {% for name, column in [('interchange', 'interchange'), ('scheme', 'scheme_fees'), ('markup', 'markup'), ('commission', 'commission')] -%}
        {{ 'or ' if not loop.first }}{{ column }}_minor != {{ name }}_expected
        {% endfor %}
)

{% for name, column in [('interchange', 'interchange'), ('scheme', 'scheme_fees'), ('markup', 'markup'), ('commission', 'commission')] -%}
{{ 'union all' if not loop.first }}
select
    line_id,
    '{{ name }}' as component,
    contract,
    livemode,
    region,
    gateway,
    gateway_account,
    report_date,
    batch_number,
    line_number,
    kind,
    psp_reference,
    nullif(payment_method, '') as payment_method,
    nullif(payment_method_variant, '') as payment_method_variant,
    currency,
    gross_minor,
    {{ column }}_minor as charged_minor,
    {{ name }}_expected as expected_minor,
    {{ column }}_minor - {{ name }}_expected as difference_minor
from different
where {{ column }}_minor != {{ name }}_expected
{% endfor %}
