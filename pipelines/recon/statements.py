"""A day's bank statement on its way into the lake: read, judged at the door, checked, landed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.expectations.door import Door
from pipelines.recon import bank_landing
from pipelines.recon.fetch import FetchedReport, fetch_statement
from pipelines.recon.formats import camt, mt940
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import Source
from pipelines.recon.statement import BankEntry, BankStatement, StatementError, StatementFile
from regions.environment import SANDBOX
from regions.errors import UsageError

if TYPE_CHECKING:
    from pipelines.recon.bank_landing import LandedStatement
    from regions.region import Region
    from warehouse.lake import Lake

SUITE = "bank_entries"


def land_statement(
    lake: Lake, region: Region, day: date, env: Mapping[str, str], path: Path | None = None, gateway: str = SANDBOX
) -> LandedStatement | None:
    """Fetch the day's statement (or read it from a file), check it, and land it; nothing if the bank has none.

    A file that is refused goes to quarantine. Raises StatementError.
    """
    fetched = _read(path) if path else fetch_statement(region, day, env, gateway)
    if fetched is None:
        return None
    door = Door.of(region, env)
    with door.guard(SUITE, fetched.name, fetched.content):
        file = parse_statement(fetched.content, name=fetched.name)
        if not bank_landing.is_landed(lake, fetched.content):  # judged then
            door.expect(SUITE, fetched.name, columns(file))
        _check_day(day, fetched.name, file)
        _check_accounts(region, fetched.name, file)
    return bank_landing.land(lake, region, file, livemode=False)


def parse_statement(content: bytes, *, name: str) -> StatementFile:
    """Read a file of statements in camt.053 or MT940. Raises StatementError naming the line: nothing is used then."""
    source, findings = Source.of_bytes(content, name), Findings()
    statements: list[BankStatement] = []
    if camt.recognise(source):
        entries = tuple(camt.scan(source, findings, statements))
    elif mt940.recognise(source):
        entries = tuple(mt940.scan(source, findings, statements))
    else:
        raise StatementError(
            f"{name} is not a bank statement: give camt.053, MT940, or camt.052 or camt.054 as a notice"
        )
    if findings.error_count:
        raise StatementError(findings.errors()[0].sentence(name))
    file = StatementFile(findings.format, source.sha256, tuple(statements), entries)
    for statement in statements:
        if file.day_of(statement) is None:
            raise StatementError(f"{name}, line {statement.line_number}: statement {statement.id} does not say its day")
    return file


def columns(file: StatementFile) -> dict[str, list[Any]]:
    """What the door judges: each entry as text, by column, and `line`."""

    def texts(name: str) -> list[str]:
        return [str(value) if (value := getattr(entry, name)) is not None else "" for entry in file.entries]

    def lag(entry: BankEntry) -> int | None:
        """Days between booking and the end of the statement."""
        day = file.day_of(file.statement_of(entry))
        return (day - entry.booking_date).days if day and entry.booking_date else None

    return {
        "line": [entry.line_number for entry in file.entries],
        "lag_days": [lag(entry) for entry in file.entries],
        **{
            name: texts(name)
            for name in ("account", "currency", "kind", "status", "amount_minor", "booking_date", "bank_reference")
        },
    }


def _read(path: Path) -> FetchedReport:
    try:
        return FetchedReport(str(path), path.read_bytes())
    except OSError as error:
        raise UsageError(f"The bank statement {path} cannot be read: {error.strerror}") from error


def _check_day(day: date, name: str, file: StatementFile) -> None:
    for statement in file.statements:
        on = file.day_of(statement)
        if on is None or on > day:
            raise StatementError(
                f"{name}, line {statement.line_number}: statement {statement.id} is of {on}, after {day}"
            )


def _check_accounts(region: Region, name: str, file: StatementFile) -> None:
    ours = {(bank.account, bank.currency) for bank in region.bank_accounts}
    for statement in file.statements:
        if (statement.account, statement.currency) not in ours:
            raise StatementError(
                f"{name}, line {statement.line_number}: region {region.code} has no account {statement.account} in "
                f"{statement.currency}"
            )
