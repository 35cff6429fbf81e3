import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from regions.events import timestamp
from regions.ids import new_id
from regions.money import Money
from web import ledger, outbox
from web.db.scope import Scope, enter_tenant
from web.ledger.domain import MERCHANT_PAYABLE_PENDING
from web.payments.models import Payment
from web.splits import repository
from web.splits.domain import SPLIT_CLEARING, entitlements, share_of_capture, share_of_refund
from web.splits.models import Part, Split

log = logging.getLogger(__name__)

_CHECK_NOW = text("SET CONSTRAINTS ALL IMMEDIATE")
_CHECK_LATER = text("SET CONSTRAINTS ALL DEFERRED")


def share(scope: Scope, terms: Sequence[Mapping[str, Any]], payment: Payment, source_id: str, captured: Money) -> None:
    """Give sub-merchants their parts of captured money, as their link says; `payment` is as it was before the capture.

    A recipient that is no open merchant here gets nothing: its part stays with the sender, whose record says `refused`.
    """
    given = [0] * len(terms)
    for split in repository.of_payment(scope, payment.id, "sender"):
        given[split.position] += split.amount_minor
    entitled = entitlements(payment.amount_minor, terms)
    parts = share_of_capture(captured.amount_minor, payment.amount_minor, payment.captured_minor, entitled, given)
    for position, (named, amount_minor) in enumerate(zip(terms, parts, strict=True)):
        if amount_minor:
            _give(scope, payment.id, source_id, Part(named["merchant_id"], amount_minor, captured.currency, position))


def take_back(scope: Scope, payment: Payment, refund_id: str, refunded: Money) -> None:
    """Take sub-merchants' parts of a refund back, in proportion; `payment` is as it was before the refund."""
    booked = [split for split in repository.of_payment(scope, payment.id, "sender") if split.status == "booked"]
    if not booked:
        return
    held = [split.amount_minor - split.reversed_minor for split in booked]
    kept_minor = payment.captured_minor - payment.refunded_minor
    for split, amount_minor in zip(booked, share_of_refund(refunded.amount_minor, kept_minor, held), strict=True):
        if amount_minor:
            _reverse(scope, split, refund_id, Money(amount_minor, refunded.currency))


def _give(scope: Scope, payment_id: str, source_id: str, part: Part) -> None:
    amount = Money(part.amount_minor, part.currency)
    with _as_merchant(scope, part.recipient_id) as theirs:
        is_known = part.recipient_id != scope.merchant_id and repository.is_merchant(theirs)
        if is_known:
            _record(theirs, scope.merchant_id, payment_id, source_id, part, "recipient", amount)
    if not is_known:
        log.warning("a split names no merchant of ours", extra={"payment_id": payment_id})
    _record(scope, scope.merchant_id, payment_id, source_id, part, "sender", amount, is_refused=not is_known)


def _record(
    scope: Scope,
    sender_id: str,
    payment_id: str,
    source_id: str,
    part: Part,
    role: str,
    amount: Money,
    *,
    is_refused: bool = False,
) -> None:
    """One merchant's record of a split, its journal, and its event."""
    split_id = new_id("split", scope.region.code)
    repository.insert(
        scope,
        {
            "id": split_id,
            "role": role,
            "sender_id": sender_id,
            "recipient_id": part.recipient_id,
            "payment_id": payment_id,
            "source_id": source_id,
            "status": "refused" if is_refused else "booked",
            "amount_minor": part.amount_minor,
            "currency": part.currency,
            "position": part.position,
        },
    )
    if is_refused:
        return
    _post(scope, "split", split_id, role, amount)
    data = {
        "split_id": split_id,
        "payment_id": payment_id,
        "source_id": source_id,
        "role": role,
        "recipient_merchant_id": part.recipient_id,
        "amount_minor": part.amount_minor,
        "currency": part.currency,
        "created_at": timestamp(scope.now),
    }
    outbox.append(scope, "split.created", split_id, data)


def _reverse(scope: Scope, split: Split, refund_id: str, amount: Money) -> None:
    _record_reversal(scope, split, refund_id, amount)
    with _as_merchant(scope, split.recipient_id) as theirs:
        matching = repository.of_payment(theirs, split.payment_id, "recipient")
        twin = next(one for one in matching if (one.source_id, one.position) == (split.source_id, split.position))
        _record_reversal(theirs, twin, refund_id, amount)


def _record_reversal(scope: Scope, split: Split, refund_id: str, amount: Money) -> None:
    reversal_id = new_id("split", scope.region.code)
    repository.insert(
        scope,
        {
            "id": reversal_id,
            "role": split.role,
            "sender_id": split.sender_id,
            "recipient_id": split.recipient_id,
            "payment_id": split.payment_id,
            "source_id": refund_id,
            "reverses_id": split.id,
            "status": "booked",
            "amount_minor": amount.amount_minor,
            "currency": amount.currency,
            "position": split.position,
        },
    )
    repository.add_reversed(scope, split.id, amount.amount_minor)
    _post(scope, "split_reversal", reversal_id, split.role, -amount)
    data = {
        "split_id": split.id,
        "payment_id": split.payment_id,
        "refund_id": refund_id,
        "role": split.role,
        "recipient_merchant_id": split.recipient_id,
        "amount_minor": amount.amount_minor,
        "currency": amount.currency,
        "reversed_at": timestamp(scope.now),
    }
    outbox.append(scope, "split.reversed", split.id, data)


def _post(scope: Scope, kind: str, source_id: str, role: str, amount: Money) -> None:
    """The sender is owed less and the recipient more; what lies between the two books adds up to zero."""
    given = amount if role == "sender" else -amount
    entries = (ledger.Entry(MERCHANT_PAYABLE_PENDING, given), ledger.Entry(SPLIT_CLEARING, -given))
    ledger.post_journal(scope, ledger.Journal(kind, source_id, scope.now, entries))


@contextmanager
def _as_merchant(scope: Scope, merchant_id: str) -> Iterator[Scope]:
    """The same transaction in another merchant's books.

    What was written so far is checked now: at the commit, the rows of the merchant that is left would be hidden.
    """
    _check(scope)
    enter_tenant(scope.connection, merchant_id)
    yield replace(scope, merchant_id=merchant_id)
    _check(scope)
    enter_tenant(scope.connection, scope.merchant_id)


def _check(scope: Scope) -> None:
    scope.connection.execute(_CHECK_NOW)
    scope.connection.execute(_CHECK_LATER)
