from dataclasses import replace

from regions.ids import new_id
from web.db.scope import Scope
from web.http.problems import IdempotencyKeyReusedError, InFlightError
from web.privacy import repository
from web.privacy.models import ErasureRequest
from web.renewals import repository as renewals
from web.renewals import service as renewals_service
from web.renewals.domain import WhyEnded
from web.saved import service as saved

_RETRY_AFTER_SECONDS = 1


def request_erasure(
    scope: Scope, subject_id: str, requested_by: str, reason: str, key: str
) -> tuple[ErasureRequest, bool]:
    """Record that a subject wants to be erased; whether it is new. A subject has one open request at most.

    The same key answers with the same request; with another body it is an IdempotencyKeyReusedError.
    """
    known = repository.by_key(scope, key)
    if known is not None:
        if (known.subject_id, known.requested_by, known.reason) != (subject_id, requested_by, reason):
            raise IdempotencyKeyReusedError
        return known, False
    request_id = new_id("erasure", scope.region.code)
    repository.insert(scope, request_id, subject_id, requested_by, reason, key)
    found = repository.open_of(scope, subject_id)
    if found is None:  # a request with this key was committed in between
        raise InFlightError(_RETRY_AFTER_SECONDS)
    if found.id == request_id:
        _withdraw(scope, subject_id)
    return found, found.id == request_id


def _withdraw(scope: Scope, subject_id: str) -> None:
    """Nothing of the payer's is charged any more, and gateways forget it while we can still name it to them."""
    for livemode in (False, True):
        mine = replace(scope, livemode=livemode)
        for renewal_id in renewals.active_of(mine, subject_id):
            renewals_service.end(mine, renewal_id, WhyEnded.ERASED)
    saved.delete_all(scope, subject_id)
