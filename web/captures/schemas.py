from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.captures.domain import StepStatus
from web.captures.models import Capture, Void
from web.http.bodies import Body, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged


class CreateCapture(Body):
    """How much of what is set aside to take. Without an amount, all of it."""

    amount_minor: Annotated[int, Field(ge=1, le=9_007_199_254_740_991)] | None = doc(
        "How much, in minor units of the payment's currency; all that is set aside if left out.", 1500, default=None
    )
    is_final: bool = doc("Whether the rest is let go; if not, more can be captured later.", True, default=True)


class ListCaptures(Paged):
    """Which captures to list, the newest first."""

    payment_id: Annotated[Text, StringConstraints(min_length=1, max_length=64)] | None = doc(
        "Only captures of this payment.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None
    )
    status: StepStatus | None = doc("Only captures in this state.", "succeeded", default=None)


class CaptureObject(Shown):
    """Money that was set aside and that you have asked for."""

    id: str = doc("The capture's id.", "cap_eu_06p0wz8c4hk53g6qyt8nwc2mse")
    object: Literal["capture"] = doc("What this is.", "capture")
    payment_id: str = doc("The payment whose money it takes.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    status: StepStatus = doc("How it stands.", "succeeded")
    amount_minor: int = doc("How much, in minor units of `currency`.", 1500)
    currency: str = doc("ISO 4217 code; the payment's.", "EUR")
    is_final: bool = doc("Whether the rest is let go.", True)
    failure_code: str | None = doc("Why it failed.", "capture_failed")
    gateway: str = doc("Who moves the money.", "sandbox")
    gateway_reference: str | None = doc("That gateway's name for it.", "psc_8f14e45fceea")
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When it was asked for (RFC 3339, UTC).", "2026-03-15T10:00:00.000000Z")
    finished_at: datetime | None = doc("When it succeeded or failed (RFC 3339, UTC).", "2026-03-15T10:00:01.200000Z")


class CaptureList(Shown):
    """A page of captures."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[CaptureObject] = doc("The captures, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


class VoidObject(Shown):
    """Money that was set aside and is let go of."""

    id: str = doc("The void's id.", "void_eu_06p0wz8c4hk53g6qyt8nwc2mse")
    object: Literal["void"] = doc("What this is.", "void")
    payment_id: str = doc("The payment whose money it lets go.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    status: StepStatus = doc("How it stands.", "succeeded")
    reason: str = doc("Why: voided (by you), authorisation_expired, superseded.", "voided")
    failure_code: str | None = doc("Why it failed.", "void_failed")
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When it was asked for (RFC 3339, UTC).", "2026-03-15T10:00:00.000000Z")
    finished_at: datetime | None = doc("When it succeeded or failed (RFC 3339, UTC).", "2026-03-15T10:00:01.200000Z")


def capture_json(capture: Capture) -> dict[str, Any]:
    """A capture as the API shows it."""
    return {
        "id": capture.id,
        "object": "capture",
        "payment_id": capture.payment_id,
        "status": capture.status.value,
        "amount_minor": capture.amount_minor,
        "currency": capture.currency,
        "is_final": capture.is_final,
        "failure_code": capture.failure_code,
        "gateway": capture.gateway,
        "gateway_reference": capture.gateway_reference,
        "livemode": capture.livemode,
        "created_at": timestamp(capture.created_at),
        "finished_at": _moment(capture.finished_at),
    }


def void_json(void: Void) -> dict[str, Any]:
    """A void as the API shows it."""
    return {
        "id": void.id,
        "object": "void",
        "payment_id": void.payment_id,
        "status": void.status.value,
        "reason": void.reason,
        "failure_code": void.failure_code,
        "livemode": void.livemode,
        "created_at": timestamp(void.created_at),
        "finished_at": _moment(void.finished_at),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
