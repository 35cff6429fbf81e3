{# The model's grain: one row per combination, none of its parts missing. #}
{% test grain(model, columns) %}
select {{ columns | join(', ') }}, count(*) as row_count
from {{ model }}
group by all
having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
{% endtest %}
