"""Merchants as papers address them, and how their pages look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from warehouse.reports.paper import Customer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from regions.region import Region

_CUSTOMERS = "SELECT id, name, country, branding, logo FROM merchants WHERE id = ANY(%s)"


def load_customers(region: Region, env: Mapping[str, str], ids: Iterable[str]) -> dict[str, Customer]:
    """The merchants of these ids that the region knows."""
    with psycopg.connect(region.database_url(env)) as connection:
        rows = connection.execute(_CUSTOMERS, [sorted(ids)]).fetchall()
    return {row[0]: Customer(row[1], row[2], row[3], None if row[4] is None else bytes(row[4])) for row in rows}
