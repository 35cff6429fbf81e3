"""Saved methods: that a payer has agreed to be charged on a card, or by a mandate, again."""

from dataclasses import dataclass
from typing import Any

from web.sandbox.cards.domain import Card
from web.sandbox.cards.scenarios import Scenario
from web.sandbox.database import Conn
from web.sandbox.edge.problems import InvalidFieldError, NotFoundError
from web.sandbox.ids import secret_id
from web.sandbox.payments.domain import METHODS, MethodName, Payment


@dataclass(frozen=True)
class SavedMethod:
    """One kept card, or mandate."""

    id: str
    payer_reference: str
    card: Card | None
    method: MethodName = "card"

    def document(self) -> dict[str, Any]:
        """The saved method as the API shows it."""
        card = self.card
        return {
            "id": self.id,
            "object": "saved_method",
            "payer_reference": self.payer_reference,
            "method": self.method,
            "card": card and {"brand": card.brand, "last4": card.last4, "fingerprint": card.fingerprint},
        }


def keep_card(connection: Conn, account: str, payer_reference: str, card: Card) -> SavedMethod:
    """Keep a card for a payer of the merchant's."""
    saved = SavedMethod(secret_id("pm_"), payer_reference, card)
    connection.execute(
        "INSERT INTO saved_methods (id, account, payer_reference, scenario, brand, last4, fingerprint)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [saved.id, account, payer_reference, card.scenario, card.brand, card.last4, card.fingerprint],
    )
    return saved


def keep(connection: Conn, payment: Payment) -> str | None:
    """Keep what has just paid; None where nobody is named to keep it for."""
    if payment.save_for is None:
        return None
    if METHODS[payment.method].is_mandate:
        saved_id = secret_id("pm_")
        connection.execute(
            "INSERT INTO saved_methods (id, account, payer_reference, scenario, method) VALUES (%s, %s, %s, %s, %s)",
            [saved_id, payment.account, payment.save_for, Scenario.SUCCEED, payment.method],
        )
        return saved_id
    if payment.brand is None or payment.last4 is None or payment.fingerprint is None:
        return None
    card = Card(Scenario(payment.scenario or ""), payment.brand, payment.last4, payment.fingerprint)
    return keep_card(connection, payment.account, payment.save_for, card).id


def require(connection: Conn, account: str, saved_id: str) -> SavedMethod:
    """A saved method that may be charged. Raises InvalidFieldError (422)."""
    row = connection.execute(
        "SELECT payer_reference, scenario, brand, last4, fingerprint, method FROM saved_methods"
        " WHERE id = %s AND account = %s AND forgotten_at IS NULL FOR SHARE",
        [saved_id, account],
    ).fetchone()
    if row is None:
        raise InvalidFieldError("/saved_method", "There is no such saved method in this account.", "saved_unknown")
    is_card = row["method"] == "card"
    card = Card(Scenario(row["scenario"]), row["brand"], row["last4"], row["fingerprint"]) if is_card else None
    return SavedMethod(saved_id, row["payer_reference"], card, row["method"])


def forget(connection: Conn, account: str, saved_id: str) -> None:
    """The payer has withdrawn the consent. Raises NotFoundError; forgetting again changes nothing."""
    done = connection.execute(
        "UPDATE saved_methods SET forgotten_at = coalesce(forgotten_at, now()) WHERE id = %s AND account = %s",
        [saved_id, account],
    )
    if done.rowcount == 0:
        raise NotFoundError("saved method")
