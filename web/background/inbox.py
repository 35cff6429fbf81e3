import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection

from regions.errors import MeridianError
from web.captures import repository as captures
from web.captures.models import Owner as StepOwner
from web.captures.service import apply_capture_outcome, apply_void_outcome
from web.clock import utc_now
from web.db.scope import Scope, enter_tenant_as
from web.disputes import repository as disputes
from web.disputes.models import Disputed
from web.disputes.service import apply_news
from web.gateways import repository
from web.gateways.disputes import DisputeNews
from web.gateways.domain import AttemptNews, CaptureNews, RefundNews, VoidNews
from web.gateways.models import InboxMessage
from web.payments import repository as payments
from web.payments.models import DueAttempt
from web.payments.service import apply_outcome
from web.refunds import repository as refunds
from web.refunds.models import Owner
from web.refunds.service import apply_refund_outcome
from web.wiring import Wiring

log = logging.getLogger(__name__)

TRIES_MAX = 12
BACKOFF_MAX = timedelta(minutes=10)


class UnknownObjectError(MeridianError):
    """A webhook about an attempt or a refund that is not ours, or not yet."""


def step(wiring: Wiring) -> bool:
    """Process one webhook; False when there is none. What it changes and that it is done are one transaction."""
    now = utc_now()
    with wiring.database.transaction() as connection:
        message = repository.lock_due(connection, now)
        if message is None:
            return False
        try:
            with connection.begin_nested():
                object_id = _process(wiring, connection, message, now)
        except Exception as error:  # noqa: BLE001 - one bad message must not stop the others; it is tried again, then parked
            _postpone(connection, message, error, now)
        else:
            repository.mark_done(connection, message.id, object_id, now)
    return True


def _process(wiring: Wiring, connection: Connection, message: InboxMessage, now: datetime) -> str | None:
    """Give the message its effect; the id of the attempt, refund, capture or void that it is about."""
    gateway = wiring.gateways[message.gateway]
    event = gateway.parse_webhook(wiring.vault.decrypt_region(message.body, purpose="gateway_webhook"))
    match event.news:
        case AttemptNews(attempt_id, answer):
            attempt = payments.whose_attempt(connection, attempt_id)
            if attempt is None or attempt.gateway != gateway.name:
                raise UnknownObjectError("the attempt is not ours")
            scope = _scope(wiring, connection, attempt, message, now)
            apply_outcome(scope, attempt_id, answer, gateway.not_found_after)
            return attempt_id
        case RefundNews(refund_id, refund_answer):
            refund = refunds.whose(connection, refund_id)
            if refund is None or refund.gateway != gateway.name:
                raise UnknownObjectError("the refund is not ours")
            scope = _scope(wiring, connection, refund, message, now)
            apply_refund_outcome(scope, refund_id, refund_answer)
            return refund_id
        case CaptureNews(capture_id, capture_answer):
            scope = _scope(wiring, connection, _owner(connection, "captures", capture_id, gateway.name), message, now)
            apply_capture_outcome(scope, capture_id, capture_answer)
            return capture_id
        case VoidNews(void_id, void_answer):
            scope = _scope(wiring, connection, _owner(connection, "voids", void_id, gateway.name), message, now)
            apply_void_outcome(scope, void_id, void_answer)
            return void_id
        case DisputeNews(told):
            of = disputes.disputed(connection, gateway.name, told.attempt_id, told.payment_reference)
            if of is None:
                raise UnknownObjectError("the disputed payment is not ours")
            dispute = apply_news(_scope(wiring, connection, of, message, now), of, told)
            return None if dispute is None else dispute.id
        case _:
            log.info("webhook without effect", extra={"type": event.type})
            return None


def _owner(connection: Connection, table: captures.Table, object_id: str, gateway: str) -> StepOwner:
    owner = captures.whose(connection, table, object_id)
    if owner is None or owner.gateway != gateway:
        raise UnknownObjectError(f"one of the {table} is not ours")
    return owner


def _scope(
    wiring: Wiring,
    connection: Connection,
    owner: DueAttempt | Owner | StepOwner | Disputed,
    message: InboxMessage,
    now: datetime,
) -> Scope:
    enter_tenant_as(connection, owner.merchant_id, "", message.id)
    return Scope(connection, wiring.region, owner.merchant_id, owner.livemode, message.id, now)


def _postpone(connection: Connection, message: InboxMessage, error: Exception, now: datetime) -> None:
    reason = type(error).__name__
    tries = message.tries + 1
    log.warning("webhook not processed", exc_info=error, extra={"webhook_id": message.id, "tries": tries})
    if tries >= TRIES_MAX:
        log.error("webhook parked: a person has to look", extra={"webhook_id": message.id, "reason": reason})
        repository.park(connection, message.id, reason)
    else:
        wait = min(timedelta(seconds=1 << tries), BACKOFF_MAX)
        repository.try_again(connection, message.id, reason, now + wait)
