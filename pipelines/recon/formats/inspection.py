"""What a file that enters reconciliation is, by its content: format, sums, balances, and everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.recon.formats import adyen, camt, mt940, stripe
from pipelines.recon.formats.problems import PROBLEMS_MAX, Findings
from pipelines.recon.formats.source import Source
from pipelines.recon.settlement import SettlementLine
from pipelines.recon.statement import BankEntry
from regions.errors import UsageError

SETTLEMENT, STATEMENT = "settlement report", "bank statement"
KINDS = {adyen.FORMAT: SETTLEMENT, stripe.FORMAT: SETTLEMENT}


class UnknownFormatError(UsageError):
    """A file that is none of the formats that enter reconciliation."""


def read(source: Source, findings: Findings) -> Iterator[SettlementLine] | Iterator[BankEntry]:
    """The file's lines, whatever its format. Raises UnknownFormatError."""
    if camt.recognise(source):
        return camt.scan(source, findings)
    if mt940.recognise(source):
        return mt940.scan(source, findings)
    if header := adyen.recognise(source):
        return adyen.scan(source, header, findings)
    if header := stripe.recognise(source):
        return stripe.scan(source, header, findings)
    reason = "it is empty" if not source.head.strip() else "its content is none of them"
    raise UnknownFormatError(
        f"{source.name} is not a file that reconciliation reads ({reason}): give Adyen's settlement detail report, "
        "Stripe's itemised payout reconciliation, camt.053, camt.054 or MT940"
    )


def inspect(source: Source) -> dict[str, Any]:
    """Everything that the file says of itself, as a document. Raises UnknownFormatError."""
    findings = Findings()
    for _ in read(source, findings):
        pass
    kind = KINDS.get(findings.format, STATEMENT)
    groups = [
        {
            "id": group.id,
            "account": group.account,
            "currency": group.currency,
            "line_count": group.line_count,
            "sum_minor": group.sum_minor,
            **group.more,
            "difference_minor": group.difference_minor,
            "foots": None if group.difference_minor is None else group.difference_minor == 0,
        }
        for group in findings.groups
    ]
    accounts, ends = list(findings.accounts), _ends(groups)
    return {
        "file": source.name,
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        "kind": kind,
        "format": findings.format,
        "version": findings.version,
        **findings.details,
        "account": accounts[0] if len(accounts) == 1 else None,
        "accounts": accounts,
        "batch_ids" if kind == SETTLEMENT else "statement_ids": list(findings.ids),
        "line_count": findings.line_count,
        "totals": [
            {"type": name, "currency": currency, "count": tally.count, "sum_minor": tally.sum_minor}
            | ({"fees_minor": tally.fees_minor} if kind == SETTLEMENT else {})
            for (name, currency), tally in sorted(findings.totals.items())
        ],
        **({"gross_totals": _gross(findings)} if kind == SETTLEMENT else {}),
        **ends,
        "batches" if kind == SETTLEMENT else "statements": groups,
        "foots": findings.error_count == 0,
        "error_count": findings.error_count,
        "warning_count": findings.warning_count,
        "problems": [
            {"line": one.line, "severity": one.severity.value, "code": one.code, "message": one.message}
            for one in sorted(findings.problems, key=lambda one: (one.line is None, one.line or 0))
        ],
        **({"problems_kept": PROBLEMS_MAX} if findings.error_count + findings.warning_count > PROBLEMS_MAX else {}),
    }


def _gross(findings: Findings) -> list[dict[str, Any]]:
    return [
        {"type": name, "currency": currency, "count": tally.count, "sum_minor": tally.sum_minor}
        for (name, currency), tally in sorted(findings.gross.items())
    ]


def _ends(groups: list[dict[str, Any]]) -> dict[str, int | None]:
    """Where the file begins and ends, when it is about one account in one currency."""
    if not groups or len({(group["account"], group["currency"]) for group in groups}) > 1:
        return {"opening_minor": None, "closing_minor": None}
    return {"opening_minor": groups[0].get("opening_minor"), "closing_minor": groups[-1].get("closing_minor")}
