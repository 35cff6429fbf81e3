"""Consent to be charged again: recorded when given, in force once the gateway has saved, gone when taken back."""

import hashlib

from regions.events import timestamp
from regions.ids import new_id
from web import outbox
from web.db.scope import Scope
from web.gateways.domain import Answer
from web.http.problems import NotFoundError
from web.saved import repository
from web.saved.models import Agreement, SavedMethod


def consent(scope: Scope, attempt_id: str, subject_id: str, gateway: str, agreed: Agreement, locale: str) -> None:
    """Record that a payer has agreed, to which words, before the attempt is sent."""
    repository.insert(
        scope,
        {
            "id": new_id("saved_method", scope.region.code),
            "subject_id": subject_id,
            "attempt_id": attempt_id,
            "gateway": gateway,
            "method": agreed.method,
            "mandate": agreed.scheme,
            "mandate_reference": agreed.reference,
            "mandate_creditor_id": agreed.creditor_id,
            "consent_locale": locale,
            "consent_sha256": hashlib.sha256(agreed.words.encode()).hexdigest(),
        },
    )


def keep(scope: Scope, attempt_id: str, payment_id: str, answer: Answer) -> None:
    """What a gateway says it has saved may be charged again, if its payer has agreed."""
    if answer.saved is None:
        return
    found = repository.activate(scope, attempt_id, answer.saved)
    if found is None or found["status"] != "active":
        return
    data = {
        "payment_method_id": found["id"],
        "subject_id": found["subject_id"],
        "payment_id": payment_id,
        "gateway": found["gateway"],
        "method": found["method"],
        "mandate": found["mandate"],
        "saved_at": timestamp(scope.now),
    }
    outbox.append(scope, "payment_method.saved", found["id"], data)


def delete(scope: Scope, method_id: str) -> SavedMethod:
    """Nobody may charge it any more; the worker lets the gateway forget it. Raises NotFoundError."""
    if repository.delete(scope, method_id):
        _tell_deleted(scope, method_id)
    return get(scope, method_id)


def delete_all(scope: Scope, subject_id: str) -> None:
    """The same for all that a payer has agreed to, in both modes; what the gateway saves late is forgotten too."""
    for method_id in repository.of_subject(scope, subject_id):
        if repository.delete(scope, method_id):
            _tell_deleted(scope, method_id)


def _tell_deleted(scope: Scope, method_id: str) -> None:
    data = {"payment_method_id": method_id, "deleted_at": timestamp(scope.now)}
    outbox.append(scope, "payment_method.deleted", method_id, data)


def get(scope: Scope, method_id: str) -> SavedMethod:
    """One saved method; raises NotFoundError."""
    found = repository.get(scope, method_id)
    if found is None:
        raise NotFoundError("There is no such payment method.")
    return found
