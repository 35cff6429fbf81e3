from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from regions.events import timestamp
from regions.ids import REGION_PATTERN
from web.http.bodies import Body
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.saved.models import SavedMethod

SUBJECT_PATTERN = rf"^subj_{REGION_PATTERN}_[0-7][0-9a-hjkmnp-tv-z]{{25}}\z"


class OfferSaving(Body):
    """Whether payers are asked to save what they pay with."""

    is_offered: bool = doc("True: the checkout page asks.", True)


class ListSavedMethods(Paged):
    """Which saved methods to list, the newest first."""

    subject_id: Annotated[str, StringConstraints(pattern=SUBJECT_PATTERN)] | None = doc(
        "Only those of this payer.", "subj_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None
    )
    status: Literal["active", "deleted"] | None = doc("Only in this state.", "active", default=None)


class SavingObject(Shown):
    """Whether payers are asked."""

    object: Literal["payment_method_settings"] = doc("What this is.", "payment_method_settings")
    is_offered: bool = doc("True: the checkout page asks.", True)


class SavedMethodObject(Shown):
    """A method that a payer has agreed to be charged on again."""

    id: str = doc("Its id.", "pm_eu_06p0wz9d4hk53g6qyt8nwc2mse")
    object: Literal["payment_method"] = doc("What this is.", "payment_method")
    subject_id: str = doc("Whose it is: one payer, one id.", "subj_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    status: Literal["active", "deleted"] = doc("Whether it may be charged.", "active")
    method: str = doc("How it pays.", "card")
    card_brand: str | None = doc("The card's brand.", "visa")
    card_last4: str | None = doc("The end of the card's number.", "4242")
    gateway: str = doc("Where it is kept.", "sandbox")
    mandate: str = doc("Under which scheme it may be charged.", "stored_credential")
    mandate_reference: str | None = doc("The mandate's own reference, where its scheme has one.", None)
    mandate_creditor_id: str | None = doc("Who collects, as the mandate names it, where its scheme does (SEPA).", None)
    livemode: bool = doc("True if it moves real money.", False)
    consented_at: datetime = doc("When the payer agreed (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")
    deleted_at: datetime | None = doc("When it was deleted (RFC 3339, UTC).", None)


class SavedMethodList(Shown):
    """A page of saved methods."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[SavedMethodObject] = doc("The methods, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


def saved_json(found: SavedMethod) -> dict[str, Any]:
    """A saved method as the API shows it."""
    return {
        "id": found.id,
        "object": "payment_method",
        "subject_id": found.subject_id,
        "status": found.status,
        "method": found.method,
        "card_brand": found.card_brand,
        "card_last4": found.card_last4,
        "gateway": found.gateway,
        "mandate": found.mandate,
        "mandate_reference": found.mandate_reference,
        "mandate_creditor_id": found.mandate_creditor_id,
        "livemode": found.livemode,
        "consented_at": timestamp(found.consented_at),
        "deleted_at": None if found.deleted_at is None else timestamp(found.deleted_at),
    }
