"""Whether a run explains every minor unit: complete, or incomplete and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

_TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?"
# Each: the table, and where in it something is left over.
_PLACES = {
    "rpt_recon_bridge": """
        SELECT concat_ws(' ', region, CASE WHEN livemode THEN 'live' ELSE 'test' END, gateway, gateway_account,
                         'batch', batch_number, currency),
               concat_ws(', ', CASE WHEN residual_minor != 0 THEN 'residual ' || residual_minor END,
                         CASE WHEN gap_minor != 0 THEN 'opening differs from the closing before by ' || gap_minor END)
          FROM rpt_recon_bridge WHERE residual_minor != 0 OR gap_minor != 0 ORDER BY ALL""",
    "rpt_recon_summary": """
        SELECT concat_ws(' ', region, CASE WHEN livemode THEN 'live' ELSE 'test' END, gateway, gateway_account,
                         business_date, currency), 'unexplained ' || unexplained_minor
          FROM rpt_recon_summary WHERE unexplained_minor != 0 ORDER BY ALL""",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every place where something is left over, with how many minor units; none if the run is complete."""

    places: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left over anywhere."""
        return not self.places

    @property
    def name(self) -> str:
        """One word."""
        return "complete" if self.is_complete else "incomplete"


def verdict_of(build: Path) -> Verdict:
    """The verdict on a build in which reconciliation ran, as far as it came."""
    with duckdb.connect(str(build), read_only=True) as connection:
        places = [
            f"{place}: {what}"
            for table, query in _PLACES.items()
            if connection.execute(_TABLES, [table]).fetchone() != (0,)
            for place, what in connection.execute(query).fetchall()
        ]
    return Verdict(tuple(places))
