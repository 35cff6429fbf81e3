{#
  Stops the run unless every column of every source, seed and model declares a residency class, and no mart holds `pii`.
  With enforced contracts a declared column list is the table's column list, so nothing escapes this check.
#}
{% macro check_residency() -%}
  {%- if execute -%}
    {%- set problems = [] -%}
    {%- for node in (graph.nodes.values() | list) + (graph.sources.values() | list) -%}
      {%- if node.resource_type in ['model', 'seed', 'source'] -%}
        {%- if not node.columns -%}{%- do problems.append(node.name ~ ': no columns declared') -%}{%- endif -%}
        {%- if node.resource_type == 'model' and not node.config.contract.enforced -%}
          {%- do problems.append(node.name ~ ': its contract is not enforced') -%}
        {%- endif -%}
        {%- for column in node.columns.values() -%}
          {%- set class = column.config.meta.residency if column.config and column.config.meta else column.meta.residency -%}
          {%- if class not in ['exportable', 'regional', 'pii'] -%}
            {%- do problems.append(node.name ~ '.' ~ column.name ~ ': residency class is ' ~ (class or 'not declared')) -%}
          {%- elif class == 'pii' and node.resource_type != 'source' -%}
            {%- do problems.append(node.name ~ '.' ~ column.name ~ ': pii stays in the lake') -%}
          {%- endif -%}
        {%- endfor -%}
      {%- endif -%}
    {%- endfor -%}
    {%- if problems -%}
      {{ exceptions.raise_compiler_error('undeclared residency: ' ~ problems | join('; ')) }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}
