from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from regions.events import timestamp
from web.http.bodies import Body, Text
from web.http.contract import Shown, doc
from web.http.paging import Paged
from web.payouts.domain import Balance, PayoutStatus, Schedule
from web.payouts.models import Payout, PayoutSettings

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\z")]
Minor = Annotated[int, Field(ge=0, le=9_007_199_254_740_991)]


class Account(Body):
    """A bank account of the merchant's. It is kept sealed and never shown again whole."""

    holder: Annotated[Text, StringConstraints(min_length=1, max_length=140)] = doc("Whose it is.", "Demo GmbH")
    number: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{4,34}\z")] = doc(
        "IBAN, or the local number.", "DE89370400440532013000"
    )
    bic: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?\z")] = doc(
        "Its bank.", "COBADEFFXXX"
    )


class SavePayoutSettings(Body):
    """How the merchant wants to be paid out in a currency."""

    currency: Currency = doc("Which one (ISO 4217).", "EUR")
    schedule: Schedule = doc("How often.", "weekly", strict=False)
    weekday: Annotated[int, Field(ge=1, le=7)] | None = doc("Of a weekly one; 1 is Monday.", 1, default=None)
    month_day: Annotated[int, Field(ge=1, le=28)] | None = doc("Of a monthly one.", 1, default=None)
    minimum_minor: Annotated[int, Field(ge=1, le=9_007_199_254_740_991)] = doc(
        "Nothing less is paid out, in minor units.", 1000, default=1
    )
    account: Account = doc("Where to.")


class CreatePayout(Body):
    """A payout now, of all that can be paid out."""

    currency: Currency = doc("Which one (ISO 4217).", "EUR")


class ListPayouts(Paged):
    """Which payouts to list, the newest first."""

    currency: Currency | None = doc("Only of this currency.", "EUR", default=None)
    status: PayoutStatus | None = doc("Only in this state.", "paid", default=None)


class SetReserve(Body):
    """What the platform holds back of a merchant."""

    merchant_id: Annotated[Text, StringConstraints(min_length=1, max_length=64)]
    livemode: bool
    currency: Currency
    reserve_minor: Minor
    reserve_bps: Annotated[int, Field(ge=0, le=10_000)]


class EndPayout(Body):
    """How a payout ended at the bank."""

    outcome: Literal["paid", "failed"]
    failure_code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}\z")] | None = None


class PayoutObject(Shown):
    """Money on its way to the merchant's bank."""

    id: str = doc("The payout's id.", "pout_eu_06p0wz9d4hk53g6qyt8nwc2mse")
    object: Literal["payout"] = doc("What this is.", "payout")
    status: PayoutStatus = doc("How it stands.", "paid")
    amount_minor: int = doc("In minor units of `currency`.", 9680)
    currency: str = doc("ISO 4217 code.", "EUR")
    failure_code: str | None = doc("Why it failed.", "account_closed")
    livemode: bool = doc("True if real money moves.", False)
    created_at: datetime = doc("When it was made (RFC 3339, UTC).", "2026-03-14T09:26:53.589793Z")
    finished_at: datetime | None = doc("When it ended (RFC 3339, UTC).", "2026-03-16T08:00:00.000000Z")


class PayoutList(Shown):
    """A page of payouts."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[PayoutObject] = doc("The payouts, newest first.", [])
    has_more: bool = doc("Whether there are more beyond this page, in the direction asked for.", False)


class PayoutSettingsObject(Shown):
    """How the merchant is paid out in one currency."""

    object: Literal["payout_settings"] = doc("What this is.", "payout_settings")
    currency: str = doc("ISO 4217 code.", "EUR")
    schedule: Schedule = doc("How often.", "weekly")
    weekday: int | None = doc("Of a weekly one; 1 is Monday.", 1)
    month_day: int | None = doc("Of a monthly one.", 1)
    minimum_minor: int = doc("Nothing less is paid out, in minor units.", 1000)
    reserve_minor: int = doc("What the platform always holds back, in minor units.", 0)
    reserve_bps: int = doc("And of what became available lately, in basis points.", 0)
    account_last4: str = doc("The end of the account's number.", "3000")
    next_due_on: date | None = doc("When the next payout is due; null: when asked for.", "2026-03-16")


class PayoutSettingsList(Shown):
    """How the merchant is paid out."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[PayoutSettingsObject] = doc("One for each currency.", [])


class BalanceObject(Shown):
    """The merchant's money in one currency. Negative is what the merchant owes."""

    object: Literal["balance"] = doc("What this is.", "balance")
    currency: str = doc("ISO 4217 code.", "EUR")
    available_minor: int = doc("Settled, in minor units.", 9680)
    pending_minor: int = doc("Captured and not settled yet, in minor units.", 1999)
    reserved_minor: int = doc("Held back by the platform, in minor units.", 0)
    payable_minor: int = doc("What refunds leave of the available money, in minor units.", 9680)


class BalanceList(Shown):
    """The merchant's money."""

    object: Literal["list"] = doc("What this is.", "list")
    data: list[BalanceObject] = doc("One for each currency.", [])


def payout_json(payout: Payout) -> dict[str, Any]:
    """A payout as the API shows it."""
    return {
        "id": payout.id,
        "object": "payout",
        "status": payout.status.value,
        "amount_minor": payout.amount_minor,
        "currency": payout.currency,
        "failure_code": payout.failure_code,
        "livemode": payout.livemode,
        "created_at": timestamp(payout.created_at),
        "finished_at": None if payout.finished_at is None else timestamp(payout.finished_at),
    }


def settings_json(found: PayoutSettings) -> dict[str, Any]:
    """Payout settings as the API shows them: the account by its end only."""
    return {
        "object": "payout_settings",
        "currency": found.currency,
        "schedule": found.schedule.value,
        "weekday": found.weekday,
        "month_day": found.month_day,
        "minimum_minor": found.minimum_minor,
        "reserve_minor": found.reserve_minor,
        "reserve_bps": found.reserve_bps,
        "account_last4": found.account_last4,
        "next_due_on": None if found.next_due_on is None else found.next_due_on.isoformat(),
    }


def balance_json(currency: str, balance: Balance) -> dict[str, Any]:
    """A balance as the API shows it."""
    return {
        "object": "balance",
        "currency": currency,
        "available_minor": balance.available_minor,
        "pending_minor": balance.pending_minor,
        "reserved_minor": balance.reserved_minor,
        "payable_minor": balance.free_minor,
    }
