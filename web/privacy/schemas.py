from typing import Annotated, Any

from pydantic import StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Text
from web.privacy.models import ErasureRequest


class ForgetMethods(Body):
    """POST /internal/v1/payment_methods/forget."""

    subject_id: Annotated[str, StringConstraints(pattern=r"^subj_[a-z][a-z0-9]{1,7}_[0-7][0-9a-hjkmnp-tv-z]{25}\z")]


class CreateErasureRequest(ForgetMethods):
    """POST /internal/v1/erasure_requests."""

    requested_by: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    reason: Annotated[Text, StringConstraints(min_length=1, max_length=500)]


def erasure_request_json(found: ErasureRequest) -> dict[str, Any]:
    """An erasure request as the internal API shows it."""
    return {
        "id": found.id,
        "object": "erasure_request",
        "subject_id": found.subject_id,
        "status": found.status,
        "requested_by": found.requested_by,
        "reason": found.reason,
        "received_at": timestamp(found.received_at),
        "closed_at": None if found.closed_at is None else timestamp(found.closed_at),
    }
