"""Errors that a bank can make, on purpose; the answer key says what was done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from regions.money import exponent

if TYPE_CHECKING:
    from web.sandbox.bank.domain import Entry

Plant = Literal["missing_at_bank", "unknown_at_bank", "amount", "duplicate", "split", "unbalanced"]
INVENTED_HUNDREDTHS = 4711


class BankPlantingError(ValueError):
    """The day has too few payouts for the errors that were asked for."""


def plant_errors(entries: Sequence[Entry], plants: Sequence[Plant]) -> tuple[list[Entry], list[dict[str, Any]]]:
    """The day's entries with the errors in them, and the answer key: each goes into a payout of its own.

    `unbalanced` is no entry: the closing balance is printed one major unit too high. Raises BankPlantingError.
    """
    victims = iter([entry for entry in entries if not entry.is_charge])
    changed: dict[Entry, list[Entry]] = {}
    extra: list[Entry] = []
    key: list[dict[str, Any]] = []
    for number, name in enumerate(plants, 1):
        if name == "unbalanced":
            key.append({"class": name, "reference": None, "currency": None, "expected_minor": 0, "reported_minor": 0})
            continue
        victim = next(victims, None)
        if victim is None:
            raise BankPlantingError(f"{name} needs a payout of its own, and the day has no more.")
        changed[victim], more = _booked(name, victim, number)
        extra += more
        key.append(
            {
                "class": name,
                "reference": more[0].reference if more else victim.reference,
                "currency": victim.currency,
                "expected_minor": 0 if more else victim.amount_minor,
                "reported_minor": sum(entry.amount_minor for entry in (more or changed[victim])),
            }
        )
    return [one for entry in entries for one in changed.get(entry, [entry])] + extra, key


def _booked(name: Plant, entry: Entry, number: int) -> tuple[list[Entry], list[Entry]]:
    """What the bank books instead of an entry, and besides it."""
    unit = 10 ** exponent(entry.currency)
    if name == "missing_at_bank":
        return [], []
    if name == "amount":
        return [replace(entry, amount_minor=entry.amount_minor - unit)], []
    if name == "duplicate":
        return [entry, entry], []
    if name == "split":
        half = entry.amount_minor // 2
        return [replace(entry, amount_minor=half), replace(entry, amount_minor=entry.amount_minor - half)], []
    reference = f"UNK{entry.booked_on:%Y%m%d}{number}"
    amount_minor = max(1, unit * INVENTED_HUNDREDTHS // 100)
    return [entry], [replace(entry, amount_minor=amount_minor, reference=reference, text=f"Transfer {reference}")]
