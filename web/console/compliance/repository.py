import json
from typing import Any

from sqlalchemy import Connection, text

PLANS_SHOWN = 50

_COUNTS = """
       jsonb_array_length(document::jsonb -> 'items') AS item_count,
       jsonb_array_length(document::jsonb -> 'staying') AS staying_count,
       jsonb_array_length(document::jsonb -> 'erased_whole') AS whole_count
"""
_PLANS = text(f"""
SELECT encode(hash, 'hex') AS hash, plan_date, status, planned_at, approved_by, approved_at, started_at, done_at,
       certificate IS NOT NULL AS is_certified, {_COUNTS}
  FROM console_retention_plans ORDER BY planned_at DESC LIMIT :rows
""")  # noqa: S608 - our own expression
_PLAN = text(f"""
SELECT encode(hash, 'hex') AS hash, plan_date, status, planned_at, approved_by, approved_at, started_at, done_at,
       certificate, certificate IS NOT NULL AS is_certified, document, {_COUNTS}
  FROM console_retention_plans WHERE encode(hash, 'hex') = :hash
""")  # noqa: S608 - our own expression
_REQUESTS = text("""
SELECT count(*) FILTER (WHERE status = 'open') AS open, count(*) FILTER (WHERE status = 'done') AS done,
       min(received_at) FILTER (WHERE status = 'open') AS oldest_open_at
  FROM erasure_requests
""")
_HOLDS = text("""
SELECT id, coalesce(subject_id, merchant_id, 'the region') AS covers, data_class, reason, placed_by, placed_at
  FROM console_legal_holds WHERE released_at IS NULL ORDER BY placed_at, id
""")


def plans(connection: Connection) -> list[dict[str, Any]]:
    """Retention plans, the newest first, with how much each of them says goes and stays."""
    return [dict(row) for row in connection.execute(_PLANS, {"rows": PLANS_SHOWN}).mappings()]


def plan(connection: Connection, plan_hash: str) -> dict[str, Any] | None:
    """One plan with its parsed document and, once there is one, its certificate."""
    row = connection.execute(_PLAN, {"hash": plan_hash}).mappings().one_or_none()
    return None if row is None else {**row, "document": json.loads(row["document"])}


def requests(connection: Connection) -> dict[str, Any]:
    """Erasure requests: how many are open and done, and since when the oldest waits."""
    return dict(connection.execute(_REQUESTS).mappings().one())


def holds(connection: Connection) -> list[dict[str, Any]]:
    """Legal holds in force, the oldest first."""
    return [dict(row) for row in connection.execute(_HOLDS).mappings()]
