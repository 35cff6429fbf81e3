{# A hash that fits the form of ids: a leading 0 and 25 hexadecimal characters. #}
{% macro hashed_id(prefix, columns) -%}
  '{{ prefix }}_' || region || '_0' || substring(sha256(concat_ws(chr(31)
    {%- for column in columns -%} , coalesce(cast({{ column }} as varchar), chr(30)) {%- endfor -%}
  )), 1, 25)
{%- endmacro %}

{# A break's id: the same break gets the same id in every build. #}
{% macro break_id(columns) -%} {{ hashed_id('brk', columns) }} {%- endmacro %}

{# A match's id: a hash of its members, in order. #}
{% macro match_id(columns) -%} {{ hashed_id('mat', columns) }} {%- endmacro %}

{# Goes up when the passes, or a tolerance, change what they mean: part of the key of whatever is posted for a match. #}
{% macro rule_version() -%} 1 {%- endmacro %}
