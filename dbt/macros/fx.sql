{#
  What an amount becomes, exactly as pipelines/fx/rates.py convert_minor: integers only, one rounding, half-even.
  `amount_minor` has `from_exponent`, the result `to_exponent`. Rates are units of a currency for one euro, times 10^8.
  NULL if a rate is missing. What does not fit 128 bits stops the build: it never wraps.
#}
{% macro fx_convert_minor(amount_minor, from_rate_e8, to_rate_e8, from_exponent, to_exponent) -%}
{%- set over -%}
(abs(cast({{ amount_minor }} as hugeint)) * {{ to_rate_e8 }} * cast(10 ** {{ to_exponent }} as hugeint))
{%- endset -%}
{%- set under -%} ({{ from_rate_e8 }} * cast(10 ** {{ from_exponent }} as hugeint)) {%- endset -%}
cast(
    sign({{ amount_minor }}) * (
        {{ over }} // {{ under }}
        + case
            when 2 * ({{ over }} % {{ under }}) > {{ under }} then 1
            when 2 * ({{ over }} % {{ under }}) = {{ under }} then ({{ over }} // {{ under }}) % 2
            else 0
        end
    ) as bigint
)
{%- endmacro %}

{#
  When a day of rates stops to apply if no later day is published: at the end of the sixth day after it, where the rates
  are published (pipelines/fx/rates.py MAX_AGE_DAYS).
#}
{% macro fx_expires_at(rate_date) -%}
  timezone('Europe/Berlin', cast({{ rate_date }} + interval 7 day as timestamp))
{%- endmacro %}
