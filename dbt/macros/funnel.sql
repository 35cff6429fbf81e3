{# The funnels of regions/contracts/funnels.toml, which the job has read and judged (warehouse/dbt_runner.py). #}
{% macro funnels() -%}
  {{ return(fromjson(env_var('MERIDIAN_DBT_FUNNELS'))) }}
{%- endmacro %}

{# The funnel that the marts follow. #}
{% macro checkout_funnel() -%}
  {%- for funnel in funnels() if funnel.name == 'checkout' -%}{{ return(funnel) }}{%- endfor -%}
  {{ exceptions.raise_compiler_error('there is no funnel named checkout') }}
{%- endmacro %}
