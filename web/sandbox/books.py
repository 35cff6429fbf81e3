"""The PSP's own truth per currency: the judge of "charged exactly once"."""

from typing import Any

from web.sandbox.database import Conn

_PAYMENTS = """
SELECT currency,
       count(*) FILTER (WHERE captured_minor > 0) AS captured_count,
       coalesce(sum(captured_minor), 0)::bigint AS captured_minor,
       count(*) FILTER (WHERE status = 'authorised') AS authorised_count,
       coalesce(sum(amount_minor - captured_minor) FILTER (WHERE status = 'authorised'), 0)::bigint AS authorised_minor,
       count(*) FILTER (WHERE status = 'voided') AS voided_count,
       count(*) FILTER (WHERE status = 'declined') AS declined_count,
       count(*) FILTER (WHERE status IN ('requires_action', 'pending')) AS open_count
  FROM payments WHERE account = %s GROUP BY currency
"""
_CAPTURES = """
SELECT currency, count(*) FILTER (WHERE status = 'succeeded' AND batch_id IS NULL) AS unsettled_payment_count
  FROM captures WHERE account = %s GROUP BY currency
"""
_REFUNDS = """
SELECT currency,
       count(*) FILTER (WHERE status = 'succeeded') AS refunded_count,
       coalesce(sum(amount_minor) FILTER (WHERE status = 'succeeded'), 0)::bigint AS refunded_minor,
       count(*) FILTER (WHERE status = 'pending') AS pending_refund_count,
       count(*) FILTER (WHERE status = 'failed') AS failed_refund_count,
       count(*) FILTER (WHERE status = 'succeeded' AND batch_id IS NULL) AS unsettled_refund_count
  FROM refunds WHERE account = %s GROUP BY currency
"""
_DISPUTES = """
SELECT currency,
       count(*) AS dispute_count,
       count(*) FILTER (WHERE status IN ('needs_response', 'under_review')) AS open_dispute_count,
       coalesce(sum(amount_minor) FILTER (WHERE status <> 'won'), 0)::bigint AS disputed_minor
  FROM disputes WHERE account = %s GROUP BY currency
"""
_CHARGED_TWICE = """
SELECT reference FROM payments WHERE account = %s AND (captured_minor > 0 OR status IN ('authorised', 'pending'))
 GROUP BY reference HAVING count(*) > 1 ORDER BY reference
"""
# A payer may push more than was asked for; nobody may take more.
_TAKEN_TOO_MUCH = """
SELECT p.reference FROM payments AS p
 WHERE p.account = %s AND p.method NOT IN ('bank_transfer', 'fps') AND p.captured_minor > p.amount_minor
    OR p.account = %s AND p.captured_minor <>
       (SELECT coalesce(sum(c.amount_minor), 0) FROM captures AS c WHERE c.payment_id = p.id AND c.status = 'succeeded')
 ORDER BY p.reference
"""
_REFUNDED_TWICE = """
SELECT reference FROM refunds WHERE account = %s AND status IN ('succeeded', 'pending')
 GROUP BY reference HAVING count(*) > 1 ORDER BY reference
"""
_COUNTS = (
    "captured_count",
    "captured_minor",
    "refunded_count",
    "refunded_minor",
    "authorised_count",
    "authorised_minor",
    "voided_count",
    "dispute_count",
    "open_dispute_count",
    "disputed_minor",
    "declined_count",
    "open_count",
    "pending_refund_count",
    "failed_refund_count",
    "unsettled_payment_count",
    "unsettled_refund_count",
)


def of(connection: Conn, account: str) -> dict[str, Any]:
    """Counts and sums (minor units) per currency, and the references that were charged or refunded more than once."""
    currencies: dict[str, dict[str, int]] = {}
    for query in (_PAYMENTS, _CAPTURES, _REFUNDS, _DISPUTES):
        for row in connection.execute(query, [account]).fetchall():
            entry = currencies.setdefault(row.pop("currency"), dict.fromkeys(_COUNTS, 0))
            entry.update(row)
    return {
        "account": account,
        "currencies": dict(sorted(currencies.items())),
        "charged_twice": [row["reference"] for row in connection.execute(_CHARGED_TWICE, [account]).fetchall()],
        "taken_too_much": [row["reference"] for row in connection.execute(_TAKEN_TOO_MUCH, [account] * 2).fetchall()],
        "refunded_twice": [row["reference"] for row in connection.execute(_REFUNDED_TWICE, [account]).fetchall()],
    }
