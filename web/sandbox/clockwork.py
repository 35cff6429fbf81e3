"""What time alone brings about: actions expire, pending captures land, pending refunds end."""

from web.sandbox.database import Database
from web.sandbox.payments import repository as payments
from web.sandbox.payments import service as charging
from web.sandbox.refunds import repository as refunds
from web.sandbox.refunds import service as refunding
from web.sandbox.settings import Settings


def advance(settings: Settings, database: Database) -> int:
    """Move on everything whose time has come, one transaction each. Returns how many were moved."""
    moved = 0
    while _advance_payment(settings, database) or _advance_refund(database):
        moved += 1
    return moved


def _advance_payment(settings: Settings, database: Database) -> bool:
    with database.transaction() as connection:
        payment = payments.take_due(connection)
        if payment is None:
            return False
        if payment.status == "pending":
            charging.capture_pending(connection, settings, payment)
        else:
            charging.decline(connection, settings, payment, "action_expired")
        return True


def _advance_refund(database: Database) -> bool:
    with database.transaction() as connection:
        refund = refunds.take_due(connection)
        if refund is None:
            return False
        refunding.finish_pending(connection, refund)
        return True
