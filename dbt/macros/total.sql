{# The sum of one measure in a list of facts, 0 where there is none. #}
{% macro total(measure, of='amount_minor') -%}
  cast(coalesce(sum({{ of }}) filter (where measure = '{{ measure }}'), 0) as bigint)
{%- endmacro %}
