from collections.abc import Mapping

from regions.events import timestamp
from regions.ids import new_id
from regions.money import Money
from web import ledger, outbox
from web.db.scope import Scope
from web.disputes import repository
from web.disputes.domain import CONTESTABLE, Held, Step, entries, held, next_dispute_status, steps
from web.disputes.models import Dispute, Disputed, EvidenceIntent
from web.gateways.disputes import Dispute as Told
from web.gateways.disputes import DisputeStatus
from web.gateways.errors import GatewayDocumentError
from web.http.problems import ConflictError, NotFoundError
from web.payments import journals
from web.payments import repository as payments
from web.payments.models import Payment


def apply_news(scope: Scope, of: Disputed, told: Told) -> Dispute | None:
    """Write what a gateway says of a dispute: webhook, list and our own evidence end here.

    The same news again, or older news late, changes nothing. Returns the dispute as it then is, or None for a payment
    that this merchant does not have. Raises GatewayDocumentError for one that cannot be booked.
    """
    payment = payments.lock_payment(scope, of.payment_id)
    if payment is None:
        return None
    if told.amount.currency != payment.currency or payment.captured_minor == 0:
        raise GatewayDocumentError("A dispute about money that we never had, or in another currency.")
    dispute = repository.by_reference(scope, of.gateway, told.gateway_reference)
    was = None if dispute is None else dispute.status
    if dispute is None:
        dispute_id = new_id("dispute", scope.region.code)
        repository.insert(scope, dispute_id, of, told)
        dispute = _existing(scope, dispute_id)
        _tell_opened(scope, dispute)
    status = told.status if was is None else next_dispute_status(was, told.status)
    moved = steps(was, status, dispute.taken_count)
    taken_count = dispute.taken_count + sum(step in {Step.TAKEN, Step.TAKEN_AGAIN} for step in moved)
    repository.save(scope, dispute, was, told, taken_count)
    for step in moved:
        _post(scope, payment, dispute, step)
    _count(scope, payment.id, dispute.amount, held(was), held(status))
    if status is not was:
        _tell(scope, dispute, status)
    return _existing(scope, dispute.id)


def request_evidence(scope: Scope, dispute_id: str) -> EvidenceIntent:
    """Whether a dispute can be contested now. Raises NotFoundError, ConflictError."""
    dispute = repository.get(scope, dispute_id, is_locked=True)
    if dispute is None:
        raise NotFoundError("There is no such dispute.")
    if dispute.status not in CONTESTABLE:
        raise ConflictError(f"The dispute is {dispute.status.value}: it takes no evidence any more.")
    if dispute.evidence_due_at is not None and dispute.evidence_due_at <= scope.now:
        raise ConflictError("The time to contest this dispute is over.")
    return EvidenceIntent(dispute.id, dispute.gateway, dispute.gateway_reference)


def contest(scope: Scope, dispute_id: str, evidence: Mapping[str, str], told: Told) -> None:
    """The gateway has taken the evidence. We keep its kinds; the words are about a payer and stay at the gateway."""
    dispute = _existing(scope, dispute_id)
    repository.keep_kinds(scope, dispute_id, sorted(evidence))
    of = Disputed(dispute.payment_id, "", scope.merchant_id, scope.livemode, dispute.gateway, dispute.gateway_account)
    apply_news(scope, of, told)


def _existing(scope: Scope, dispute_id: str) -> Dispute:
    found = repository.get(scope, dispute_id)
    if found is None:
        raise NotFoundError("There is no such dispute.")
    return found


def _post(scope: Scope, payment: Payment, dispute: Dispute, step: Step) -> None:
    booked = entries(step, dispute.gateway, journals.owed_account(payment), dispute.amount)
    ledger.post_journal(scope, ledger.Journal(step.value, dispute.id, scope.now, booked))


def _count(scope: Scope, payment_id: str, amount: Money, before: Held, after: Held) -> None:
    moved = (after is not Held.OURS) - (before is not Held.OURS)
    if moved:
        repository.move_disputed(scope, payment_id, moved * amount.amount_minor)


def _tell_opened(scope: Scope, dispute: Dispute) -> None:
    data = {
        **_facts(dispute),
        "gateway": dispute.gateway,
        "gateway_account": dispute.gateway_account,
        "gateway_reference": dispute.gateway_reference,
        "reason": dispute.reason,
        "status": dispute.status.value,
        "opened_at": timestamp(dispute.opened_at),
    }
    if dispute.gateway_reason:
        data["gateway_reason"] = dispute.gateway_reason
    if dispute.evidence_due_at is not None:
        data["evidence_due_at"] = timestamp(dispute.evidence_due_at)
    outbox.append(scope, "dispute.opened", dispute.id, data)


def _tell(scope: Scope, dispute: Dispute, status: DisputeStatus) -> None:
    match status:
        case DisputeStatus.UNDER_REVIEW:
            data = {**_facts(dispute), "contested_at": timestamp(scope.now)}
            outbox.append(scope, "dispute.contested", dispute.id, data)
        case DisputeStatus.WON | DisputeStatus.LOST:
            data = {
                **_facts(dispute),
                "gateway": dispute.gateway,
                "gateway_account": dispute.gateway_account,
                "gateway_reference": dispute.gateway_reference,
                "outcome": status.value,
                "closed_at": timestamp(scope.now),
            }
            outbox.append(scope, "dispute.closed", dispute.id, data)
        case _:
            return


def _facts(dispute: Dispute) -> dict[str, object]:
    return {
        "dispute_id": dispute.id,
        "payment_id": dispute.payment_id,
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
    }
