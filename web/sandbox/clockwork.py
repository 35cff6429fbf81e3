"""What time alone brings about: actions and authorisations expire, pending money lands or not, payers complain."""

from collections.abc import Callable
from datetime import timedelta

from web.sandbox.database import Conn, Database
from web.sandbox.disputes import repository as disputes
from web.sandbox.disputes import service as disputing
from web.sandbox.payments import repository as payments
from web.sandbox.payments import service as charging
from web.sandbox.payments import transfers
from web.sandbox.refunds import repository as refunds
from web.sandbox.refunds import service as refunding
from web.sandbox.settings import Settings

_PURGE_BATCH = 500


def advance(settings: Settings, database: Database) -> int:
    """Move on everything whose time has come, one transaction each. Returns how many were moved."""
    moved = 0
    for step in (_payment, _transfer, _refund, _complaint, _dispute):
        while _one(step, settings, database):
            moved += 1
    purge_idempotency_keys(settings, database)
    return moved


def purge_idempotency_keys(settings: Settings, database: Database) -> int:
    """Forget a batch of keys that are too old; a request with such a key is a new one. Returns how many."""
    with database.transaction() as connection:
        return connection.execute(
            "DELETE FROM idempotency_keys WHERE (account, key) IN (SELECT account, key FROM idempotency_keys"
            " WHERE created_at < now() - %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)",
            [timedelta(seconds=settings.idempotency_seconds), _PURGE_BATCH],
        ).rowcount


def _one(step: Callable[[Conn, Settings], bool], settings: Settings, database: Database) -> bool:
    with database.transaction() as connection:
        return step(connection, settings)


def _payment(connection: Conn, settings: Settings) -> bool:
    payment = payments.take_due(connection)
    if payment is None:
        return False
    if payment.status == "pending":
        charging.end_wait(connection, settings, payment)
    elif payment.status == "authorised":
        charging.let_go(connection, settings, payment, "authorisation_expired")
    else:
        charging.decline(connection, settings, payment, "action_expired")
    return True


def _transfer(connection: Conn, settings: Settings) -> bool:
    return transfers.arrive(connection, settings)


def _refund(connection: Conn, _settings: Settings) -> bool:
    refund = refunds.take_due(connection)
    if refund is None:
        return False
    refunding.finish_pending(connection, refund)
    return True


def _complaint(connection: Conn, settings: Settings) -> bool:
    payment = payments.take_to_dispute(connection)
    if payment is None:
        return False
    disputing.open_by_scenario(connection, settings, payment)
    return True


def _dispute(connection: Conn, _settings: Settings) -> bool:
    dispute = disputes.take_due(connection)
    if dispute is None:
        return False
    disputing.end_wait(connection, dispute)
    return True
