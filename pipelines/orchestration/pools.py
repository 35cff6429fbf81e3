"""Airflow's pools: how many tasks of one kind run at a time. For politeness: the job's own lock guards."""

import os
from collections.abc import Iterable, Mapping
from typing import TypedDict

from regions.errors import ConfigurationError
from regions.region import Region, load_catalog

SERVED = "MERIDIAN_AIRFLOW_REGIONS"
GLOBAL = "global"
READERS = 2


class Pool(TypedDict):
    """A pool as `airflow pools import` reads it."""

    slots: int
    description: str
    include_deferred: bool


def served(env: Mapping[str, str] = os.environ) -> list[Region]:
    """The regions that this Airflow serves: those of MERIDIAN_AIRFLOW_REGIONS ("eu,us"), else the whole catalog.

    Raises ConfigurationError for a region that there is none of.
    """
    catalog = load_catalog()
    codes = [code.strip() for code in env.get(SERVED, "").split(",") if code.strip()] or list(catalog)
    unknown = [code for code in codes if code not in catalog]
    if unknown:
        raise ConfigurationError(f"{SERVED} names {', '.join(unknown)}: the catalog has {', '.join(catalog)}")
    return [catalog[code] for code in codes]


def writer(region: Region) -> str:
    """The pool of what writes the region's warehouse."""
    return f"warehouse_{region.code}"


def reader(region: Region) -> str:
    """The pool of everything else that is done for a region."""
    return f"region_{region.code}"


def pools(regions: Iterable[Region]) -> dict[str, Pool]:
    """Every pool by name."""
    found = {GLOBAL: _pool(1, "The global warehouse and the proof of what may leave: one at a time")}
    for region in regions:
        found[writer(region)] = _pool(1, f"Writers of the warehouse of {region.code}: one at a time")
        found[reader(region)] = _pool(READERS, f"Other jobs of {region.code}: they share its database and lake")
    return found


def _pool(slots: int, description: str) -> Pool:
    return {"slots": slots, "description": description, "include_deferred": False}
