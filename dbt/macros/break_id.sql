{# A break's id: the same break gets the same id in every build. A leading 0 and 25 hexadecimal characters fit the form of ids. #}
{% macro break_id(columns) -%}
  'brk_' || region || '_0' || substring(sha256(concat_ws(chr(31)
    {%- for column in columns -%} , coalesce(cast({{ column }} as varchar), chr(30)) {%- endfor -%}
  )), 1, 25)
{%- endmacro %}
