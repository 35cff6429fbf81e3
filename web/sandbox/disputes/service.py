"""Disputing: opened by a payer, answered by the merchant, decided by the bank. The payment's lock comes first."""

from typing import Any

from web.sandbox.cards.scenarios import COMPLAINTS, DISPUTED, Complaint, Scenario
from web.sandbox.database import Conn
from web.sandbox.disputes import repository
from web.sandbox.disputes.domain import EVIDENCE_KINDS, Dispute, Verdict, end_of_wait, verdict_on
from web.sandbox.edge.problems import InvalidFieldError, NotFoundError, ProblemError
from web.sandbox.payments import repository as payments
from web.sandbox.payments.domain import Payment
from web.sandbox.refunds import repository as refunds
from web.sandbox.settings import Settings
from web.sandbox.webhooks import outbox


def open_by_reason(
    connection: Conn,
    settings: Settings,
    account: str,
    payment_id: str,
    *,
    reason: str,
    amount_minor: int | None,
    respond_within_seconds: float | None,
) -> dict[str, Any]:
    """A payer complains. Raises NotFoundError, InvalidFieldError for a reason or an amount that cannot be."""
    payment = payments.find(connection, account, payment_id, for_update=True)
    if payment is None:
        raise NotFoundError("payment")
    complaint = COMPLAINTS.get(reason)
    if complaint is None:
        raise InvalidFieldError("/reason", f"Give one of the reasons: {', '.join(COMPLAINTS)}.")
    left = _disputable_minor(connection, payment)
    wanted = left if amount_minor is None else amount_minor
    if not 1 <= wanted <= left:
        raise InvalidFieldError("/amount_minor", f"{left} minor units of this payment can be disputed.")
    within = settings.evidence_seconds if respond_within_seconds is None else respond_within_seconds
    return _announce(connection, _open(connection, payment, complaint, wanted, within), payment.reference, "opened")


def open_by_scenario(connection: Conn, settings: Settings, payment: Payment) -> None:
    """The payer of a test card that always complains does so, unless all is refunded. The caller holds the lock."""
    left = _disputable_minor(connection, payment)
    if left:
        complaint = DISPUTED[Scenario(payment.scenario or "")]
        dispute = _open(connection, payment, complaint, left, settings.evidence_seconds)
        _announce(connection, dispute, payment.reference, "opened")


def submit(
    connection: Conn, settings: Settings, account: str, dispute_id: str, evidence: dict[str, str]
) -> dict[str, Any]:
    """The merchant answers, once. Raises NotFoundError, ProblemError 409 when there is nothing to answer any more."""
    unknown = sorted(set(evidence) - EVIDENCE_KINDS)
    if unknown or not any(evidence.values()):
        raise InvalidFieldError("/evidence", f"Give evidence of these kinds: {', '.join(sorted(EVIDENCE_KINDS))}.")
    dispute, reference = _locked(connection, account, dispute_id)
    if dispute.status != "needs_response":
        raise ProblemError(409, "dispute_not_open", f"The dispute is {dispute.status}: it takes no evidence.")
    due = settings.pending_seconds if verdict_on(evidence) else None
    return _announce(connection, repository.submit(connection, dispute, evidence, due), reference, "under_review")


def decide(connection: Conn, account: str, dispute_id: str, verdict: Verdict) -> dict[str, Any]:
    """The bank decides. The same verdict again changes nothing. Raises NotFoundError, ProblemError 409."""
    dispute, reference = _locked(connection, account, dispute_id)
    if dispute.status == verdict:
        return dispute.document(reference)
    if dispute.closed_at is not None:
        raise ProblemError(409, "dispute_not_open", f"The dispute is {dispute.status} already.")
    return _announce(connection, repository.close(connection, dispute, verdict), reference, verdict)


def end_wait(connection: Conn, dispute: Dispute) -> None:
    """A dispute's time has come. The caller holds its lock."""
    payment = payments.find(connection, dispute.account, dispute.payment_id)
    verdict = end_of_wait(dispute)
    closed = repository.close(connection, dispute, verdict)
    _announce(connection, closed, "" if payment is None else payment.reference, verdict)


def show(connection: Conn, account: str, dispute: Dispute) -> dict[str, Any]:
    """A dispute with its payment's reference."""
    payment = payments.find(connection, account, dispute.payment_id)
    return dispute.document("" if payment is None else payment.reference)


def _open(
    connection: Conn, payment: Payment, complaint: Complaint, amount_minor: int, within_seconds: float
) -> Dispute:
    return repository.insert(connection, payment, complaint, amount_minor, within_seconds)


def _disputable_minor(connection: Conn, payment: Payment) -> int:
    gone = refunds.refunded_minor(connection, payment.id) + repository.disputed_minor(connection, payment.id)
    return max(0, payment.captured_minor - gone)


def _locked(connection: Conn, account: str, dispute_id: str) -> tuple[Dispute, str]:
    seen = repository.find(connection, account, dispute_id)
    payment = None if seen is None else payments.find(connection, account, seen.payment_id, for_update=True)
    dispute = repository.find(connection, account, dispute_id, for_update=True)
    if payment is None or dispute is None:
        raise NotFoundError("dispute")
    return dispute, payment.reference


def _announce(connection: Conn, dispute: Dispute, payment_reference: str, what: str) -> dict[str, Any]:
    document = dispute.document(payment_reference)
    outbox.enqueue(connection, dispute.account, f"dispute.{what}", document)
    return document
