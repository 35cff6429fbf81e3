"""Which tables are not audited, and why. All others have triggers (migration 0018: `audit_table`). Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_SELF: Final = "append-only, and refused to change by the database itself"
_PLUMBING: Final = "says where work stands, not what anybody did"
_CONSOLE: Final = "sign-ins are in the console's own log"
NOT_AUDITED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "alembic_version": _PLUMBING,
        "audit_entries": _SELF,
        "audit_seals": _SELF,
        "bulk_chunks": "rows of a job that is audited; each link that they make is audited itself",
        "console_sessions": _CONSOLE,
        "console_sign_in_failures": _CONSOLE,
        "gateway_calls": _PLUMBING,
        "gateway_circuits": _PLUMBING,
        "gateway_webhooks": _PLUMBING,
        "idempotency_keys": _PLUMBING,
        "invoice_series": "moved by a trigger alone, with the invoice that takes the number",
        "invoices": _SELF,
        "ledger_closes": _SELF,
        "ledger_entries": _SELF,
        "ledger_journals": _SELF,
        "link_metadata": "a trigger makes it of links, which are audited",
        "link_slots": "follows from payments, which are audited",
        "object_sequences": _PLUMBING,
        "outbox": _SELF,
        "rate_buckets": _PLUMBING,
        "recon_decisions": _SELF,
        "recon_postings": _SELF,
        "recon_resolutions": _SELF,
        "relay_batches": _PLUMBING,
        "relay_cursor": _PLUMBING,
        "retention_plans": "each is named by the hash of what it says, and its execution is certified",
        "retention_steps": "evidence of an execution that is certified",
        "stream_consumers": _PLUMBING,
        "webhook_attempts": _PLUMBING,
        "webhook_deliveries": _PLUMBING,
        "webhook_events": _PLUMBING,
        "webhook_health": _PLUMBING,
    }
)
