"""What a link's terms must satisfy and where a link stands. No clock, no database."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from web.links.pricing import bill
from web.transitions import Machine

AMOUNT_MINOR_MAX = 999_999_999_999  # twelve digits, what card messages carry (ISO 8583, field 4)
LIFETIME_MAX = timedelta(days=5 * 366)
CHANNELS = ("email", "sms", "social", "qr", "in_app")
PRICES = ("amount_minor", "customer_amount", "line_items")
_OPTION_OF = {
    "amount_minor": "amount_minor",
    "customer_amount": "customer_amount",
    "line_items": "unit_amounts_minor",
}
_PERCENT_MAX = 100


class LinkStatus(StrEnum):
    """Where a link stands. `expired` is read off the clock and never stored."""

    ACTIVE = "active"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    COMPLETED = "completed"


_L = LinkStatus
LINK = Machine(
    "link",
    {
        _L.ACTIVE: frozenset({_L.EXPIRED, _L.DEACTIVATED, _L.COMPLETED}),
        _L.EXPIRED: frozenset({_L.ACTIVE, _L.DEACTIVATED, _L.COMPLETED}),  # a new end; money that came late
        _L.DEACTIVATED: frozenset({_L.ACTIVE, _L.COMPLETED}),  # its payment was under way
        _L.COMPLETED: frozenset(),
    },
)

Fault = tuple[str, str]  # a JSON pointer, and what is wrong there


def status_at(status: str, expires_at: datetime | None, now: datetime) -> str:
    """What a link is at that moment: an active one whose time has passed is `expired`; what ended stays ended."""
    if status == "active" and expires_at is not None and expires_at <= now:
        return "expired"
    return status


def expiry_fault(expires_at: datetime | None, now: datetime) -> str | None:
    """Why a link may not expire then, or None."""
    if expires_at is None:
        return None
    if expires_at <= now:
        return "must be in the future"
    if expires_at > now + LIFETIME_MAX:
        return f"must be within {LIFETIME_MAX.days} days"
    return None


def pricing_of(terms: Mapping[str, Any]) -> str:
    """How a link's price comes about: fixed, customer or line_items."""
    if terms.get("line_items"):
        return "line_items"
    return "customer" if terms.get("customer_amount") else "fixed"


def price_faults(wanted: Mapping[str, Any], home: str) -> Iterator[Fault]:
    """What is wrong with a price as a whole. `wanted` holds the fields of CreateLink that were given."""
    given = [name for name in PRICES if wanted.get(name) is not None]
    if len(given) != 1:
        reason = f"give one of {', '.join(PRICES)}"
        yield (f"/{given[-1]}" if given else "/amount_minor", reason if given else f"required, or {reason}")
        return
    kind = given[0]
    if kind == "customer_amount":
        yield from _amount_faults(wanted[kind], f"/{kind}")
    if kind == "line_items":
        yield from _item_faults(wanted[kind])
    seen = {home}
    for number, option in enumerate(wanted.get("currency_options") or ()):
        where = f"/currency_options/{number}"
        if option["currency"] in seen:
            yield f"{where}/currency", "has a price already"
        seen.add(option["currency"])
        said = [name for name in _OPTION_OF.values() if option.get(name) is not None]
        if said != [_OPTION_OF[kind]]:
            yield where, f"needs {_OPTION_OF[kind]}, as the link has {kind}, and nothing else"
        elif kind == "customer_amount":
            yield from _amount_faults(option[kind], f"{where}/{kind}")
        elif kind == "line_items" and len(option["unit_amounts_minor"]) != len(wanted[kind]):
            yield f"{where}/unit_amounts_minor", f"needs one amount for each of the {len(wanted[kind])} line items"


def total_faults(terms: Mapping[str, Any], currency: str, home: str) -> Iterator[Fault]:
    """What is wrong with the sum of well-formed line items in one currency."""
    total = bill(terms, currency, home).amount_minor
    if not 1 <= total <= AMOUNT_MINOR_MAX:
        yield "/line_items", f"come to {total} minor units of {currency}: the sum must be 1 to {AMOUNT_MINOR_MAX}"


def _amount_faults(amount: Mapping[str, Any], where: str) -> Iterator[Fault]:
    if amount["max_minor"] < amount["min_minor"]:
        yield f"{where}/max_minor", "must not be below min_minor"
    preset = amount.get("preset_minor")
    if preset is not None and not amount["min_minor"] <= preset <= amount["max_minor"]:
        yield f"{where}/preset_minor", "must be between min_minor and max_minor"


def _item_faults(items: list[Mapping[str, Any]]) -> Iterator[Fault]:
    for number, item in enumerate(items):
        where = f"/line_items/{number}"
        bounds = item.get("adjustable_quantity")
        if bounds and not bounds["min"] <= item["quantity"] <= bounds["max"]:
            yield f"{where}/quantity", "must be within adjustable_quantity"
        discount = item.get("discount")
        if discount is not None and not _is_one_of(discount, "percent", "amount_minor"):
            yield f"{where}/discount", "needs percent or amount_minor, one of the two"


def page_faults(wanted: Mapping[str, Any], usage: str) -> Iterator[Fault]:
    """What is wrong with usage, questions and the end of a payment as a whole."""
    if (usage == "limited") != (wanted.get("max_payments") is not None):
        yield "/max_payments", "goes with usage limited, and only with it"
    if wanted.get("expires_at") is not None and wanted.get("expires_in") is not None:
        yield "/expires_in", "cannot be given together with expires_at"
    if wanted.get("capture_after_hours") is not None and wanted.get("capture_method") != "manual":
        yield "/capture_after_hours", "goes with capture_method manual, and only with it"
    keys = set()
    for number, field in enumerate(wanted.get("custom_fields") or ()):
        where = f"/custom_fields/{number}"
        if field["key"] in keys:
            yield f"{where}/key", "is used twice"
        keys.add(field["key"])
        if (field["type"] == "dropdown") != (field.get("options") is not None):
            yield f"{where}/options", "go with a dropdown, and only with it"
    after = wanted.get("after_completion")
    if after is not None:
        needed, other = ("message", "url") if after["type"] == "message" else ("url", "message")
        if after.get(needed) is None:
            yield f"/after_completion/{needed}", f"is needed for a {after['type']}"
        if after.get(other) is not None:
            yield f"/after_completion/{other}", f"does not go with a {after['type']}"


def split_faults(splits: list[Mapping[str, Any]], total_minor: int | None) -> Iterator[Fault]:
    """What is wrong with splits: more than there is. `total_minor` is None if the payer chooses the amount."""
    percent, amount = Decimal(0), 0
    for number, split in enumerate(splits):
        if not _is_one_of(split, "percent", "amount_minor"):
            yield f"/splits/{number}", "needs percent or amount_minor, one of the two"
        percent += Decimal(split.get("percent") or 0)
        amount += split.get("amount_minor") or 0
    if percent > _PERCENT_MAX:
        yield "/splits", f"take {percent} percent: at most {_PERCENT_MAX} are there"
    if total_minor is None and amount:
        yield "/splits", "can only be percentages when the payer chooses the amount"
    elif total_minor is not None and amount + total_minor * percent / _PERCENT_MAX > total_minor:
        yield "/splits", f"take more than the price of {total_minor} minor units"


def _is_one_of(holder: Mapping[str, Any], first: str, second: str) -> bool:
    return (holder.get(first) is None) != (holder.get(second) is None)
