"""Tokens: a card for one charge, for a short time."""

from datetime import timedelta

from web.sandbox.cards.domain import Card
from web.sandbox.cards.scenarios import Scenario
from web.sandbox.database import Conn
from web.sandbox.edge.problems import InvalidFieldError
from web.sandbox.ids import secret_id


def issue(connection: Conn, account: str, card: Card, lifetime_seconds: float) -> str:
    """Keep the card's mark under a new unguessable token, which may be charged once before it expires."""
    token = secret_id("tok_")
    connection.execute(
        "INSERT INTO tokens (id, account, scenario, brand, last4, fingerprint, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, now() + %s)",
        [token, account, card.scenario, card.brand, card.last4, card.fingerprint, timedelta(seconds=lifetime_seconds)],
    )
    return token


def describe(connection: Conn, account: str, token: str) -> Card | None:
    """What is behind a token that may still be charged; looking does not use it up."""
    row = connection.execute(
        "SELECT scenario, brand, last4, fingerprint FROM tokens"
        " WHERE id = %s AND account = %s AND used_at IS NULL AND expires_at > now()",
        [token, account],
    ).fetchone()
    return None if row is None else Card(Scenario(row["scenario"]), row["brand"], row["last4"], row["fingerprint"])


def consume(connection: Conn, account: str, token: str) -> Card:
    """Use the token up, for good once the transaction commits. Raises InvalidFieldError (422)."""
    row = connection.execute(
        "SELECT scenario, brand, last4, fingerprint, used_at, expires_at <= now() AS is_expired"
        " FROM tokens WHERE id = %s AND account = %s FOR UPDATE",
        [token, account],
    ).fetchone()
    if row is None:
        raise InvalidFieldError("/payment_token", "There is no such payment token in this account.", "token_unknown")
    if row["used_at"] is not None:
        raise InvalidFieldError(
            "/payment_token", "This payment token was used before: a token is good for one charge.", "token_used"
        )
    if row["is_expired"]:
        raise InvalidFieldError(
            "/payment_token", "This payment token has expired: ask the payer for the card again.", "token_expired"
        )
    connection.execute("UPDATE tokens SET used_at = now() WHERE id = %s", [token])
    return Card(Scenario(row["scenario"]), row["brand"], row["last4"], row["fingerprint"])
