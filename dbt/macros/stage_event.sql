{#
  One staging model per event type: the envelope, renamed, and the event's data, cast. The columns are those that the
  model declares in its YAML: a name that is not an envelope column is a field of `data`. Tokens, class pii, are not declared.
  `data` is read once per event, as text; a value that the cast to its declared type refuses stops the build.
#}
{% macro stage_event(type) -%}
{%- set envelope = {
  'event_id': 'event_id', 'event_at': '"time"', 'sequence': 'sequence', 'merchant_id': 'merchant_id',
  'livemode': 'livemode', 'region': 'region', 'lake_seq': 'lake_seq',
} -%}
{%- set fields = {} -%}
{%- for column in model.columns.values() if column.name not in envelope -%}
  {%- do fields.update({column.name: 'JSON' if column.data_type == 'json' else 'VARCHAR'}) -%}
{%- endfor -%}
with events as (
    select
        {% for expression in envelope.values() -%} {{ expression }}, {% endfor %}
        from_json(data, '{{ tojson(fields) }}') as fields
    from {{ source('lake', 'events') }}
    where type = '{{ type }}'
)

select
    {% for column in model.columns.values() -%}
    {%- if column.name in envelope -%} {{ envelope[column.name] }} as {{ column.name }}
    {%- else -%} cast(fields.{{ column.name }} as {{ column.data_type }}) as {{ column.name }}
    {%- endif -%} {{ ',' if not loop.last }}
    {% endfor %}
from events
{%- endmacro %}

{# Every event type has a staging model; `tests/events_staged.sql` fails on a type that the lake holds and no model stages. #}
{% macro event_types() -%}
  {{ return([
    'merchant.created', 'merchant.updated',
    'link.created', 'link.updated', 'link.deactivated', 'link.reactivated', 'link.expired', 'link.completed',
    'checkout.opened', 'checkout.submitted', 'checkout.completed', 'checkout.expired',
    'payment.created', 'payment.attempted', 'payment.requires_action', 'payment.authorised', 'payment.voided',
    'payment.succeeded', 'payment.failed', 'capture.created', 'capture.succeeded', 'capture.failed',
    'refund.created', 'refund.succeeded', 'refund.failed',
    'dispute.opened', 'dispute.contested', 'dispute.closed', 'split.created', 'split.reversed', 'fee.charged', 'fee.adjusted',
    'journal.posted',
    'payment_method.saved', 'payment_method.deleted',
    'payout.created', 'payout.paid', 'payout.failed',
    'renewal.created', 'renewal.updated', 'renewal.upcoming', 'renewal.charge_failed',
    'renewal.link_ready', 'renewal.paid', 'renewal.unpaid', 'renewal.ended',
    'risk.assessed',
    'webhook_endpoint.disabled',
  ]) }}
{%- endmacro %}
