"""The identical request, kept sealed while an attempt is open, for gateways that are asked by sending it again.

It names the payer's one-time token and way back: it is ciphertext under the region's key, and goes when the attempt
ends.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import text

from regions.money import Money
from regions.vault import Vault
from web.db.scope import Scope
from web.gateways.capabilities import Lookup
from web.gateways.domain import Authorisation, CaptureMode, Card, Method, Saved, ThreeDs
from web.gateways.protocol import Gateway

PURPOSE = "attempt_order"
_KEEP = text("UPDATE attempts SET sealed_order = :sealed WHERE id = :id")
_KEPT = text("SELECT sealed_order FROM attempts WHERE id = :id")


def keep(scope: Scope, vault: Vault, gateway: Gateway, order: Authorisation) -> None:
    """Keep an attempt's order, in the transaction that writes the attempt, where the gateway knows no look-up."""
    if gateway.capabilities.lookup is Lookup.RESEND:
        scope.connection.execute(_KEEP, {"id": order.attempt_id, "sealed": seal(vault, order)})


def kept(
    open_scope: Callable[[], AbstractContextManager[Scope]], vault: Vault, gateway: Gateway, attempt_id: str
) -> Authorisation | None:
    """An open attempt's order, read in a transaction of its own; None where none is kept."""
    if gateway.capabilities.lookup is not Lookup.RESEND:
        return None
    with open_scope() as scope:
        sealed: bytes | None = scope.connection.execute(_KEPT, {"id": attempt_id}).scalar_one_or_none()
    return unseal(vault, bytes(sealed)) if sealed else None


def seal(vault: Vault, order: Authorisation) -> bytes:
    """An order as ciphertext."""
    return vault.encrypt_region(orjson.dumps(asdict(order)), PURPOSE)


def unseal(vault: Vault, sealed: bytes) -> Authorisation:
    """The order that was sealed."""
    read: dict[str, Any] = orjson.loads(vault.decrypt_region(sealed, PURPOSE))
    saved = read["saved"]
    card = saved and saved["card"]
    return Authorisation(
        **{
            **read,
            "amount": Money(**read["amount"]),
            "three_ds": ThreeDs(read["three_ds"]),
            "method": Method(read["method"]),
            "capture": CaptureMode(read["capture"]),
            "saved": Saved(**{**saved, "card": card and Card(**card)}) if saved else None,
        }
    )
