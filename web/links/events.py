"""The links family, as this package writes it. What merchants write freely stays in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from regions.events import timestamp
from web.links.domain import pricing_of
from web.links.models import Link

_ATTRIBUTION = ("source", "medium", "term", "content")


def created(link: Link) -> dict[str, Any]:
    """`link.created`."""
    attribution = link.terms.get("attribution") or {}
    return _present(
        {
            "link_id": link.id,
            "pricing": pricing_of(link.terms),
            "amount_minor": link.amount_minor,
            "currency": link.currency,
            "reference": link.reference,
            "usage": link.usage,
            "max_payments": link.max_payments,
            "capture_method": link.terms.get("capture_method", "automatic"),
            "channel": link.channel,
            "campaign": link.campaign,
            **{name: attribution.get(name) for name in _ATTRIBUTION},
            "regenerated_from": link.regenerated_from,
            "expires_at": None if link.expires_at is None else timestamp(link.expires_at),
            "created_at": timestamp(link.created_at),
        }
    )


def updated(link: Link, names: Sequence[str], now: datetime) -> dict[str, Any]:
    """`link.updated`: which fields, and those values that topics may hold."""
    return _present(
        {
            "link_id": link.id,
            "fields": list(names),
            "reference": link.reference,
            "channel": link.channel,
            "campaign": link.campaign,
            "max_payments": link.max_payments,
            "expires_at": None if link.expires_at is None else timestamp(link.expires_at),
            "updated_at": timestamp(now),
        }
    )


def _present(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
