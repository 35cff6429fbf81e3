"""Residency classes: which data may leave its region. Every field of every event has exactly one."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from regions.errors import MeridianError


class ResidencyClass(StrEnum):
    """From free to bound. A value made of several takes the strictest."""

    EXPORTABLE = "exportable"  # may leave the region: amounts, currencies, statuses, times, codes
    REGIONAL = "regional"  # stays: ids, merchant and gateway references
    PII = "pii"  # stays, and is erased with its subject: ciphertext and tokens


class ResidencyError(MeridianError):
    """Data of a class that may not leave its region was about to."""


_ORDER = {ResidencyClass.EXPORTABLE: 0, ResidencyClass.REGIONAL: 1, ResidencyClass.PII: 2}


def residency_class(value: object) -> ResidencyClass:
    """Parse a class name; ResidencyError for anything else, for nothing may be unclassified."""
    try:
        return ResidencyClass(str(value))
    except ValueError:
        raise ResidencyError(
            f"{value!r} is no residency class: use one of {', '.join(c.value for c in ResidencyClass)}"
        ) from None


def strictest(classes: Iterable[ResidencyClass]) -> ResidencyClass:
    """The class of something derived from all of these. Derived from nothing is unknown, and an error."""
    found = sorted(classes, key=_ORDER.__getitem__)
    if not found:
        raise ResidencyError("a value derived from no classified field has no residency class")
    return found[-1]


def is_loosened(before: ResidencyClass, after: ResidencyClass) -> bool:
    """Whether data that was bound would become freer."""
    return _ORDER[after] < _ORDER[before]


def check_exportable(lineage: Mapping[str, ResidencyClass | None]) -> None:
    """Refuse a set of fields (name -> class, None for unknown) unless every one may leave its region."""
    bound = {name: found for name, found in lineage.items() if found is not ResidencyClass.EXPORTABLE}
    if bound:
        named = ", ".join(f"{name} ({found.value if found else 'unknown'})" for name, found in sorted(bound.items()))
        raise ResidencyError(f"these fields may not leave their region: {named}")
