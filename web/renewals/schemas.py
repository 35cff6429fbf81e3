from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from regions.ids import REGION_PATTERN
from web.http.bodies import Body, Moment
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.links.schemas import Description, Reference
from web.links.terms import AmountMinor, Currency
from web.renewals.domain import PeriodStatus
from web.saved.schemas import SUBJECT_PATTERN

MethodId = Annotated[str, StringConstraints(pattern=rf"^pm_{REGION_PATTERN}_[0-7][0-9a-hjkmnp-tv-z]{{25}}\z")]
Periods = Annotated[int, Field(ge=1, le=1200)]
Collection = Literal["automatic", "link"]
PeriodUnit = Literal["day", "week", "month", "year"]


class CreateRenewal(Body):
    """What a payer has agreed to be charged for again and again."""

    amount_minor: AmountMinor = doc("What each period costs, in minor units of `currency`.", 1999)
    currency: Currency = doc("An ISO 4217 code that the region takes.", "EUR")
    reference: Reference = doc("Your own reference: a contract's number. The payer sees it.", "SUB-1")
    description: Description | None = doc("What is paid for. The payer sees it.", "Chairs, monthly", default=None)
    payment_method_id: MethodId | None = doc(
        "The saved method to charge; without one, the payer gets a link, and may save a method with it.",
        "pm_eu_06p0wz9d4hk53g6qyt8nwc2mse",
        default=None,
    )
    collection: Collection = doc(
        "`automatic`: a saved method is charged, and a link stands in for it; `link`: the payer gets a link each time.",
        "automatic",
        default="automatic",
    )
    period_unit: PeriodUnit = doc("What a period is counted in.", "month", default="month")
    period_count: Annotated[int, Field(ge=1, le=366)] = doc("How many of them make a period.", 1, default=1)
    starts_at: Moment | None = doc(
        "When the first period is due (RFC 3339); now if left out.", "2030-01-31T12:00:00Z", default=None
    )
    periods_max: Periods | None = doc("After so many periods it ends; if left out, you end it.", 12, default=None)
    link_days: Annotated[int, Field(ge=1, le=90)] = doc("How long the payer has to pay a link.", 7, default=7)
    on_unpaid: Literal["continue", "end"] = doc(
        "What a period that nobody paid means for those after it.", "continue", default="continue"
    )


class UpdateRenewal(Body):
    """What to change, for periods that are not open yet; another method is charged from the next try on."""

    amount_minor: AmountMinor = doc("What each period costs, in minor units of `currency`.", 2499, default=1)
    description: Description | None = doc("What is paid for.", "Chairs, monthly", default=None)
    payment_method_id: MethodId | None = doc(
        "The saved method to charge; null: none.", "pm_eu_06p0wz9d4hk53g6qyt8nwc2mse", default=None
    )
    collection: Collection = doc("How it is collected.", "automatic", default="automatic")
    periods_max: Periods | None = doc("After so many periods it ends; null: when you end it.", 12, default=None)


class ListRenewals(Paged):
    """Which renewals to list, the newest first."""

    subject_id: Annotated[str, StringConstraints(pattern=SUBJECT_PATTERN)] | None = doc(
        "Only those of this payer.", "subj_eu_06p0wz7b4hk53g6qyt8nwc2mse", default=None
    )
    status: Literal["active", "ended"] | None = doc("Only in this state.", "active", default=None)


class RenewalObject(Shown):
    """What a payer has agreed to be charged for again and again."""

    id: str = doc("Its id.", "rnw_eu_06p0wz9d4hk53g6qyt8nwc2mse")
    object: Literal["renewal"] = doc("What this is.", "renewal")
    status: Literal["active", "ended"] = doc("Whether periods still come.", "active")
    subject_id: str | None = doc("Who pays, once known.", "subj_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    payment_method_id: str | None = doc("The saved method that is charged.", "pm_eu_06p0wz9d4hk53g6qyt8nwc2mse")
    refused_code: str | None = doc("Why the bank refuses that method for good: the payer gets links instead.", None)
    collection: Collection = doc("How it is collected.", "automatic")
    amount_minor: int = doc("What each period costs, in minor units of `currency`.", 1999)
    currency: str = doc("ISO 4217 code.", "EUR")
    reference: str = doc("Your reference.", "SUB-1")
    description: str | None = doc("What is paid for.", "Chairs, monthly")
    period_unit: PeriodUnit = doc("What a period is counted in.", "month")
    period_count: int = doc("How many of them make a period.", 1)
    periods_max: int | None = doc("After so many periods it ends.", None)
    link_days: int = doc("How long the payer has to pay a link.", 7)
    on_unpaid: Literal["continue", "end"] = doc("What an unpaid period means.", "continue")
    mandate: str | None = doc("Under which scheme the method is charged.", "stored_credential")
    mandate_reference: str | None = doc("The mandate's own reference, where the scheme has one.", None)
    mandate_creditor_id: str | None = doc("Who collects, as the mandate names it, where the scheme does (SEPA).", None)
    starts_at: datetime = doc("When the first period is due (RFC 3339, UTC).", "2026-04-14T09:26:53.589793Z")
    next_due_at: datetime | None = doc("When the next period is due (RFC 3339, UTC).", "2026-05-14T09:26:53.589793Z")
    ended_reason: str | None = doc("Why it has ended.", None)
    ended_at: datetime | None = doc("When (RFC 3339, UTC).", None)
    livemode: bool = doc("True if it moves real money.", False)
    created_at: datetime = doc("When it was made (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")


class RenewalList(Shown):
    """A page of renewals."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[RenewalObject] = doc("The renewals, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


class PeriodObject(Shown):
    """One period of a renewal."""

    object: Literal["renewal_period"] = doc("What this is.", "renewal_period")
    renewal_id: str = doc("The renewal.", "rnw_eu_06p0wz9d4hk53g6qyt8nwc2mse")
    number: int = doc("Which one, from 1.", 1)
    status: PeriodStatus = doc(
        "Where its money stands: due, charging, link (the payer has one), paid, unpaid, cancelled.", "paid"
    )
    amount_minor: int = doc("What it costs, in minor units.", 1999)
    currency: str = doc("ISO 4217 code.", "EUR")
    due_at: datetime = doc("When it is due (RFC 3339, UTC).", "2026-04-14T09:26:53.589793Z")
    tries: int = doc("How often the method was charged in vain, or is.", 1)
    next_try_at: datetime | None = doc("When it is charged next (RFC 3339, UTC).", None)
    notified_at: datetime | None = doc("When the notice that the mandate asks for was given (RFC 3339, UTC).", None)
    failure_code: str | None = doc("Why the last charge failed.", None)
    payment_id: str | None = doc("The payment that paid it, or the last charge.", "pay_eu_06p0wz7b4hk53g6qyt8nwc2mse")
    link_id: str | None = doc("The link that it is paid with.", "plink_eu_06p0wz3q4hk53g6qyt8nwc2mse")
    link_reason: str | None = doc("Why the payer is asked.", None)
    link_expires_at: datetime | None = doc("Until when the payer can pay it (RFC 3339, UTC).", None)
    finished_at: datetime | None = doc("When it was paid, or was over (RFC 3339, UTC).", None)


class PeriodList(Shown):
    """A renewal's newest periods."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[PeriodObject] = doc("The newest hundred, newest first.", [])
