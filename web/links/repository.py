from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from web.db.scope import Scope
from web.http.answers import Answer, Read
from web.http.idempotency import beginnings, write
from web.http.paging import Listing, fetch
from web.links.domain import LINK, LinkStatus
from web.links.models import DueLink, Link
from web.links.schemas import ListLinks
from web.outbox.repository import APPEND_TO_MADE

_COLUMNS = ", ".join(field.name for field in fields(Link))
_SHOWN = ", ".join(f"t.{field.name}" for field in fields(Link))

# The idempotency key, the row and its event in one round trip.
_INSERT = beginnings(f"""
WITH {{claim}}, made AS (
  INSERT INTO links (id, merchant_id, livemode, code, amount_minor, currency, reference, description, metadata, usage,
                     channel, campaign, expires_at, created_at, max_payments, terms, regenerated_from)
  SELECT %(id)s, %(merchant_id)s, %(livemode)s, %(code)s, %(amount_minor)s, %(currency)s, %(reference)s,
         %(description)s, %(metadata)s::jsonb, %(usage)s, %(channel)s, %(campaign)s, %(expires_at)s::timestamptz,
         %(created_at)s, %(max_payments)s::integer, %(terms)s::jsonb, %(regenerated_from)s
    FROM claim
  RETURNING 1), {APPEND_TO_MADE}
""")  # noqa: S608 - constants of this codebase
_GET = text(f"SELECT {_COLUMNS} FROM links WHERE id = :id AND livemode = :livemode")  # noqa: S608
_READ = f"""
SELECT {_COLUMNS} FROM links AS t WHERE t.id = %(link_id)s AND t.merchant_id = c.tenant AND t.livemode = c.livemode
"""  # noqa: S608
_GET_LOCKED = text(f"SELECT {_COLUMNS} FROM links WHERE id = :id AND livemode = :livemode FOR UPDATE")  # noqa: S608
_DEACTIVATE = text("UPDATE links SET status = 'deactivated', deactivated_at = :now WHERE id = :id")
_REACTIVATE = text("UPDATE links SET status = 'active', deactivated_at = NULL WHERE id = :id")
_UPDATE = text("""
UPDATE links SET reference = :reference, description = :description, metadata = CAST(:metadata AS jsonb),
       channel = :channel, campaign = :campaign, expires_at = :expires_at, max_payments = :max_payments,
       terms = CAST(:terms AS jsonb),
       expired_at = CASE WHEN expires_at IS DISTINCT FROM :expires_at THEN NULL ELSE expired_at END
 WHERE id = :id
""")
_TAKEN = text("SELECT count(*) FROM link_slots WHERE link_id = :id")
_MARK_EXPIRED = text("UPDATE links SET expired_at = :now WHERE id = :id")
# When a link whose expiry has not been told is due, as the index links_due has it.
_DUE_AT = "(CASE WHEN status = 'active' AND expired_at IS NULL THEN expires_at END)"
_DUE = text(f"""
SELECT id, merchant_id, livemode, expires_at FROM links WHERE {_DUE_AT} <= :now
 ORDER BY {_DUE_AT} LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608
_STATUS = text("SELECT status FROM links WHERE id = :id FOR NO KEY UPDATE")
_COMPLETE = text("UPDATE links SET status = 'completed' WHERE id = :id")
# A link's state now. What ended stays ended; an active one whose time has passed is expired.
_STATUS_FILTERS = {
    "active": "t.status = 'active' AND (t.expires_at IS NULL OR t.expires_at > :now)",
    "expired": "t.status = 'active' AND t.expires_at <= :now",
    "deactivated": "t.status = 'deactivated'",
    "completed": "t.status = 'completed'",
}
# Expired links are those that were told to be, in the order of lists, and the few that are due. OFFSET 0 has the latter
# found by that, whatever the planner makes of the rest.
_EXPIRED = (
    ("links", "t.status = 'active' AND t.expired_at IS NOT NULL"),
    (f"(SELECT * FROM links WHERE {_DUE_AT} <= :now OFFSET 0)", "t.expired_at IS NULL"),  # noqa: S608
)
# All equal to the link's own, so that the index gives rows in the order of the list, and the link is found by its key.
_JOIN_METADATA = "JOIN link_metadata AS m ON m.link_id = t.id"
_BY_METADATA = ["m.merchant_id = :merchant_id", "m.livemode = :livemode", "m.key = CAST(:metadata_key AS text)"]
_BY_METADATA_VALUE = "m.value_md5 = CAST(md5(CAST(:metadata_value AS text)) AS uuid)"


def insert(scope: Scope, link: Link, event: Mapping[str, Any], beginning: Mapping[str, Any]) -> None:
    """Insert an active link, its event (`web.outbox.service.parameters`) and what `beginning` asks for (see `Answer`).

    Raises KeyTakenError, with nothing written, if that cannot be had.
    """
    row = {
        "id": link.id,
        "merchant_id": scope.merchant_id,
        "actor": scope.actor,
        "livemode": link.livemode,
        "code": link.code,
        "amount_minor": link.amount_minor,
        "currency": link.currency,
        "reference": link.reference,
        "description": link.description,
        "metadata": orjson.dumps(link.metadata).decode(),
        "usage": link.usage,
        "channel": link.channel,
        "campaign": link.campaign,
        "expires_at": link.expires_at,
        "created_at": link.created_at,
        "max_payments": link.max_payments,
        "terms": orjson.dumps(link.terms).decode() if link.terms else "{}",
        "regenerated_from": link.regenerated_from,
    }
    write(scope, _INSERT["claim_key" in beginning, "key_hash" in beginning], {**row, **event, **beginning})


def get(scope: Scope, link_id: str, *, is_locked: bool = False) -> Link | None:
    """A link of the scope's merchant and mode, with its row locked until the transaction ends if asked."""
    statement = _GET_LOCKED if is_locked else _GET
    row = scope.connection.execute(statement, {"id": link_id, "livemode": scope.livemode}).mappings().one_or_none()
    return None if row is None else Link(**row)


def reading(link_id: str, conclude: Callable[[Scope, Link | None], Answer]) -> Read:
    """The statement that reads one link along with whoever asks for it."""
    return Read(_READ, {"link_id": link_id}, lambda scope, rows: conclude(scope, Link(*rows[0]) if rows else None))


def deactivate(scope: Scope, link: Link) -> None:
    """Mark a link as deactivated now; its row is locked. Raises IllegalTransitionError."""
    LINK.move(LinkStatus(link.status), LinkStatus.DEACTIVATED)
    scope.connection.execute(_DEACTIVATE, {"id": link.id, "now": scope.now})


def reactivate(scope: Scope, link: Link) -> None:
    """Mark a deactivated link as open; its row is locked. Raises IllegalTransitionError."""
    LINK.move(LinkStatus(link.status), LinkStatus.ACTIVE)
    scope.connection.execute(_REACTIVATE, {"id": link.id})


def update(scope: Scope, link: Link) -> None:
    """Write what an update may change; the link's row is locked."""
    values = {
        name: getattr(link, name)
        for name in ("id", "reference", "description", "channel", "campaign", "expires_at", "max_payments")
    }
    texts = {name: orjson.dumps(getattr(link, name)).decode() for name in ("metadata", "terms")}
    scope.connection.execute(_UPDATE, values | texts)


def taken_slots(scope: Scope, link_id: str) -> int:
    """How much of a link's capacity is used or held; the link's row is locked."""
    return int(scope.connection.execute(_TAKEN, {"id": link_id}).scalar_one())


def mark_expired(scope: Scope, link_id: str) -> None:
    """Note that a link's expiry has been told."""
    scope.connection.execute(_MARK_EXPIRED, {"id": link_id, "now": scope.now})


def lock_due(connection: Connection, now: datetime, batch: int) -> list[DueLink]:
    """Lock links whose time has passed and of which nobody has been told; other workers skip them."""
    return [DueLink(**row) for row in connection.execute(_DUE, {"now": now, "batch": batch}).mappings()]


def complete(scope: Scope, link_id: str) -> bool:
    """Mark a link as paid for good; False when it was. Raises IllegalTransitionError."""
    was = LinkStatus(scope.connection.execute(_STATUS, {"id": link_id}).scalar_one())
    if LINK.move(was, LinkStatus.COMPLETED) is was:
        return False
    scope.connection.execute(_COMPLETE, {"id": link_id})
    return True


def page(scope: Scope, asked: ListLinks) -> tuple[list[Link], bool]:
    """A page of the merchant's links, newest first, and whether there are more."""
    filters: list[str] = []
    values: dict[str, Any] = {}
    if asked.status is not None:
        filters.append(_STATUS_FILTERS[asked.status])
        if ":now" in filters[-1]:
            values["now"] = scope.now
    for name in ("reference", "campaign"):
        if (value := getattr(asked, name)) is not None:
            filters.append(f"t.{name} = :{name}")
            values[name] = value
    parts = _EXPIRED if asked.status == "expired" else ()
    if asked.metadata_key is None:
        listing = Listing("links", _SHOWN, filters, values, parts=parts)
    else:
        values["metadata_key"] = asked.metadata_key
        filters += _BY_METADATA
        if asked.metadata_value is not None:
            filters.append(_BY_METADATA_VALUE)
            values["metadata_value"] = asked.metadata_value
        listing = Listing("links", _SHOWN, filters, values, _JOIN_METADATA, ("m.created_at", "m.link_id"), parts)
    return fetch(scope, listing, asked, lambda row: Link(**row))
