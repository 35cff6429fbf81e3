{# The calendar day of an instant in the region's time zone. #}
{% macro business_date(instant) -%}
  cast(timezone((select timezone from {{ source('lake', 'run') }}), {{ instant }}) as date)
{%- endmacro %}
