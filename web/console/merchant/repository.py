from typing import Any

from sqlalchemy import Connection, text

from web.console.reading import Build

PAGE_ROWS = 50
LINK_STATUSES = ("active", "expired", "completed", "deactivated")
PAYMENT_STATUSES = ("succeeded", "authorised", "processing", "requires_action", "failed", "voided", "superseded")

# Expiry is evaluated on read.
_LINK_STATUS = "CASE WHEN status = 'active' AND expires_at <= now() THEN 'expired' ELSE status END"
_LINKS_BY_STATUS = text(f"""
SELECT {_LINK_STATUS} AS status, count(*) AS links FROM links WHERE livemode = :livemode GROUP BY 1
""")  # noqa: S608 - our own expression
_MONEY = text("""
SELECT currency, count(*) AS payments, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
       sum(captured_minor)::bigint AS captured_minor, sum(refunded_minor)::bigint AS refunded_minor
  FROM payments WHERE livemode = :livemode GROUP BY currency ORDER BY count(*) DESC, currency
""")
_LINKS = text(f"""
SELECT * FROM (
  SELECT l.id, l.created_at, l.reference, l.amount_minor, l.currency, l.usage, l.channel, l.campaign, l.expires_at,
         {_LINK_STATUS} AS status, m.name AS merchant,
         (SELECT count(*) FROM payments AS p WHERE p.link_id = l.id) AS payments
    FROM links AS l JOIN merchants AS m ON m.id = l.merchant_id
   WHERE l.livemode = :livemode) AS found
 WHERE (CAST(:status AS text) IS NULL OR status = :status)
   AND (CAST(:after AS text) IS NULL OR (created_at, id) < (SELECT created_at, id FROM links WHERE id = :after))
 ORDER BY created_at DESC, id DESC LIMIT :rows
""")  # noqa: S608 - our own expression
_PAYMENTS = text("""
SELECT p.id, p.created_at, p.status, p.failure_code, p.amount_minor, p.currency, p.captured_minor, p.refunded_minor,
       p.is_late, p.link_id, l.reference, m.name AS merchant
  FROM payments AS p JOIN links AS l ON l.id = p.link_id JOIN merchants AS m ON m.id = p.merchant_id
 WHERE p.livemode = :livemode
   AND (CAST(:status AS text) IS NULL OR p.status = :status)
   AND (CAST(:link AS text) IS NULL OR p.link_id = :link)
   AND (CAST(:after AS text) IS NULL OR (p.created_at, p.id) < (SELECT created_at, id FROM payments WHERE id = :after))
 ORDER BY p.created_at DESC, p.id DESC LIMIT :rows
""")
_PAYMENT = text("""
SELECT p.id, p.livemode, p.created_at, p.status, p.failure_code, p.amount_minor, p.currency, p.captured_minor,
       p.refunded_minor, l.reference
  FROM payments AS p JOIN links AS l ON l.id = p.link_id WHERE p.id = :id
""")
_ATTEMPTS = text("""
SELECT id, gateway, gateway_reference, status, decline_code, routing, created_at
  FROM attempts WHERE payment_id = :id ORDER BY created_at, id
""")
_FUNNEL = """
SELECT count(*) AS opened, count(submitted_at) AS submitted, count(*) FILTER (WHERE is_converted) AS succeeded
  FROM fct_funnel_sessions WHERE livemode = $livemode AND ($merchant IS NULL OR merchant_id = $merchant)
"""
_FUNNEL_BY_CHANNEL = """
SELECT coalesce(channel, 'none') AS channel, count(*) AS opened, count(submitted_at) AS submitted,
       count(*) FILTER (WHERE is_converted) AS succeeded
  FROM fct_funnel_sessions WHERE livemode = $livemode AND ($merchant IS NULL OR merchant_id = $merchant)
 GROUP BY 1 ORDER BY opened DESC, channel
"""


def links_by_status(connection: Connection, *, livemode: bool) -> dict[str, int]:
    """How many links there are in each status, in the order in which a link goes through them."""
    found = {row.status: int(row.links) for row in connection.execute(_LINKS_BY_STATUS, {"livemode": livemode})}
    return {status: found.get(status, 0) for status in LINK_STATUSES}


def money(connection: Connection, *, livemode: bool) -> list[dict[str, Any]]:
    """Payments, and what was captured and refunded, per currency."""
    return [dict(row) for row in connection.execute(_MONEY, {"livemode": livemode}).mappings()]


def links(connection: Connection, *, livemode: bool, status: str | None, after: str | None) -> list[dict[str, Any]]:
    """Links, the newest first; one more than a page if there are more."""
    row = {"livemode": livemode, "status": status, "after": after, "rows": PAGE_ROWS + 1}
    return [dict(found) for found in connection.execute(_LINKS, row).mappings()]


def payments(
    connection: Connection, *, livemode: bool, status: str | None, link: str | None, after: str | None, rows: int
) -> list[dict[str, Any]]:
    """Payments, the newest first."""
    row = {"livemode": livemode, "status": status, "link": link, "after": after, "rows": rows}
    return [dict(found) for found in connection.execute(_PAYMENTS, row).mappings()]


def payment(connection: Connection, payment_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """One payment with its attempts, the first one first, and why each went where it went."""
    found = connection.execute(_PAYMENT, {"id": payment_id}).mappings().one_or_none()
    if found is None:
        return None
    return dict(found), [dict(row) for row in connection.execute(_ATTEMPTS, {"id": payment_id}).mappings()]


def funnel(build: Build, *, livemode: bool, merchant: str | None) -> list[tuple[str, int]]:
    """Sessions that reached each step; `merchant` None means everybody's."""
    [row] = build.rows(_FUNNEL, livemode=livemode, merchant=merchant)
    return list(row.items())


def funnel_by_channel(build: Build, *, livemode: bool, merchant: str | None) -> list[dict[str, Any]]:
    """The same per channel."""
    return build.rows(_FUNNEL_BY_CHANNEL, livemode=livemode, merchant=merchant)
