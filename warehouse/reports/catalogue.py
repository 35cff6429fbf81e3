"""Every report of finance, by name."""

from types import MappingProxyType
from typing import Final

from regions.errors import UsageError
from warehouse.reports.ledger import LEDGER_REPORTS
from warehouse.reports.model import Report
from warehouse.reports.settlement import SETTLEMENT_REPORTS

REPORTS: Final = MappingProxyType({report.name: report for report in (*SETTLEMENT_REPORTS, *LEDGER_REPORTS)})


def report_of(name: str) -> Report:
    """One report. Raises UsageError naming those that there are."""
    if name not in REPORTS:
        raise UsageError(f"There is no report {name!r}: use one of {', '.join(REPORTS)}")
    return REPORTS[name]


def _check() -> None:
    for report in REPORTS.values():
        if report.drill is not None:
            detail = REPORTS[report.drill.report]
            for key in report.drill.keys:
                report.column(key)
                detail.column(key)


_check()  # a figure that leads nowhere stops the process
