"""How checkout sessions open, complete and expire; each tells of it in the transaction that does it."""

from typing import Any

from regions.events import timestamp
from web import outbox
from web.checkout import repository
from web.checkout.domain import session_end
from web.checkout.models import NewSession
from web.db.scope import Scope
from web.links.models import Link
from web.links.pricing import Price


def start(scope: Scope, link: Link, new: NewSession, price: Price) -> None:
    """Open a session: it freezes the price and reserves nothing."""
    repository.insert(scope, new, link, price, session_end(scope.now, link.expires_at))
    data: dict[str, Any] = {
        "session_id": new.id,
        "link_id": link.id,
        "amount_minor": price.amount_minor,
        "currency": price.currency,
        "locale": new.locale,
        "device_class": new.device_class,
        "opened_at": timestamp(scope.now),
    }
    data |= {name: value for name, value in (("channel", new.channel), ("campaign", new.campaign)) if value}
    outbox.append(scope, "checkout.opened", new.id, data)


def submit(scope: Scope, session_id: str, link_id: str, payment_id: str, method: str) -> None:
    """Tell that the payer has asked to pay."""
    data = {
        "session_id": session_id,
        "link_id": link_id,
        "payment_id": payment_id,
        "method": method,
        "submitted_at": timestamp(scope.now),
    }
    outbox.append(scope, "checkout.submitted", session_id, data)


def complete(scope: Scope, session_id: str, link_id: str, payment_id: str) -> None:
    """End a session with a payment that succeeded; the caller holds its lock."""
    repository.complete(scope, session_id)
    data = {
        "session_id": session_id,
        "link_id": link_id,
        "payment_id": payment_id,
        "completed_at": timestamp(scope.now),
    }
    outbox.append(scope, "checkout.completed", session_id, data)


def expire(scope: Scope, session_id: str, link_id: str) -> None:
    """End a session whose time has passed; the caller holds its lock."""
    repository.expire(scope, session_id)
    data = {"session_id": session_id, "link_id": link_id, "expired_at": timestamp(scope.now)}
    outbox.append(scope, "checkout.expired", session_id, data)
