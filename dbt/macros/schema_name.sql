{# Marts live in `main`, so that `select * from fct_payments` just works; other layers in a schema of their own name. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name or target.schema }}
{%- endmacro %}
