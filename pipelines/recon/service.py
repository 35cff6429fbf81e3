"""The reconciliation of one business day: fetch, check, land, match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.expectations.door import Door
from pipelines.recon import manifest
from pipelines.recon.fee_book import load_fee_book
from pipelines.recon.fetch import FetchedReport, fetch_report
from pipelines.recon.formats import adyen, stripe
from pipelines.recon.formats.source import Source
from pipelines.recon.landing import SETTLEMENT_LINES, Landed, is_landed, land, reports_of
from pipelines.recon.settlement import SettlementReport, SettlementReportError
from pipelines.recon.statements import land_statement
from pipelines.recon.verdict import Verdict, verdict_of
from regions.environment import SANDBOX
from regions.errors import UsageError
from regions.vault import open_vault
from warehouse.builds import Warehouse
from warehouse.dbt_runner import TransformError
from warehouse.lake import Lake
from warehouse.lake_bank import BANK_ENTRIES, BANK_STATEMENTS
from warehouse.lake_files import table_files

if TYPE_CHECKING:
    from pipelines.recon.bank_landing import LandedStatement
    from regions.region import Region
    from warehouse.build_record import BuildRecord
    from warehouse.inputs import Inputs

SUITE, STRIPE_SUITE = "settlement_lines", "stripe_payouts"
GATEWAY = SANDBOX  # and its further accounts; it prints Adyen's format and moves no real money


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a run did. `landed` is None if the gateway has no report of the day, or if recorded inputs were used."""

    record: BuildRecord
    landed: Landed | None
    verdict: Verdict
    unknown_types: tuple[str, ...] = ()
    statement: LandedStatement | None = None
    is_signed: bool = False


def reconcile_day(
    region: Region,
    day: date,
    env: Mapping[str, str],
    settlement: Path | None = None,
    statement: Path | None = None,
) -> Reconciled:
    """Land the day's report and bank statement, unless the candidate is a rerun, and match in the latest candidate.

    Raises UsageError without a candidate of that day, SettlementReportError or StatementError for a file that is
    refused whole, ReportUnavailableError, TransformError.
    """
    load_fee_book()  # contracts that contradict each other stop the day before anything lands
    warehouse = Warehouse.open(region, env)
    with warehouse.lock():
        candidate = warehouse.candidate()
        if candidate.business_date != day:
            raise UsageError(
                f"build-{candidate.number} was built for {candidate.business_date}, not for {day}: "
                f"run `meridian warehouse build --region {region.code} --date {day}` first"
            )
        if candidate.rerun_of is not None and settlement is None and statement is None:
            candidate.inputs.check_files()
            return _finish(warehouse, _match(warehouse, candidate, candidate.inputs, candidate.reports), env)
        lake = Lake.open(region, env)
        try:
            landed, report, stated = land_files(lake, region, day, env, settlement, statement)
            reports = candidate.reports | reports_of(lake, day)
            lines, statements, entries = (
                table_files(lake.ensure_table(table)) for table in (SETTLEMENT_LINES, BANK_STATEMENTS, BANK_ENTRIES)
            )
        finally:
            lake.close()
        inputs = replace(candidate.inputs, settlement_lines=lines, bank_statements=statements, bank_entries=entries)
        record = _match(warehouse, candidate, inputs, reports)
        done = _finish(warehouse, record, env)
        return replace(done, landed=landed, unknown_types=report.unknown_types if report else (), statement=stated)


def _match(warehouse: Warehouse, candidate: BuildRecord, inputs: Inputs, reports: Mapping[str, str]) -> BuildRecord:
    """Run the models. A failed check says, besides, where something is left over, as far as the models came."""
    try:
        return warehouse.reconcile(candidate, inputs, reports)
    except TransformError as error:
        places = verdict_of(warehouse.path(candidate.number)).places
        if not places:
            raise
        raise TransformError(f"{error}; verdict: incomplete: {'; '.join(places)}") from error


def _finish(warehouse: Warehouse, record: BuildRecord, env: Mapping[str, str]) -> Reconciled:
    """Judge a reconciled build, and keep its manifest, signed where the job knows the region's vault."""
    build = warehouse.path(record.number)
    verdict = verdict_of(build)
    content = manifest.contents(build, record, verdict)
    is_signed = f"VAULT_URI_{warehouse.region.code.upper()}" in env
    signed = manifest.sign(content, open_vault(warehouse.region.vault_uri(env))) if is_signed else {"manifest": content}
    manifest.keep(manifest.manifest_path(warehouse.folder, record.number), signed)
    return Reconciled(record, None, verdict, is_signed=is_signed)


def land_files(
    lake: Lake,
    region: Region,
    day: date,
    env: Mapping[str, str],
    settlement: Path | None = None,
    statement: Path | None = None,
) -> tuple[Landed | None, SettlementReport | None, LandedStatement | None]:
    """Land the day's report and bank statement from the gateway, or the files that are given and nothing else.

    Raises ConfigurationError without a gateway, and what landing raises.
    """
    from_gateway = settlement is None and statement is None
    landed, report, stated = None, None, None
    if settlement or from_gateway:
        landed, report = land_day(lake, region, day, env, settlement)
    if statement or from_gateway:
        stated = land_statement(lake, region, day, env, statement)
    for gateway in region.gateways if from_gateway else ():
        if gateway.adapter == GATEWAY and gateway.name != GATEWAY:
            land_day(lake, region, day, env, gateway=gateway.name)
            land_statement(lake, region, day, env, gateway=gateway.name)
    return landed, report, stated


def land_day(
    lake: Lake,
    region: Region,
    day: date,
    env: Mapping[str, str],
    settlement: Path | None = None,
    gateway: str = GATEWAY,
) -> tuple[Landed | None, SettlementReport | None]:
    """Fetch the day's report (or read it from a file), check it, and land it; nothing if the gateway has none.

    A file belongs to the gateway whose account it names. A report that is refused goes to quarantine.
    """
    fetched = _read(settlement) if settlement else fetch_report(region, day, env, gateway)
    if fetched is None:
        return None, None
    door = Door.of(region, env)
    with door.guard(SUITE, fetched.name, fetched.content):
        fresh = not is_landed(lake, fetched.content)  # judged then
        if stripe.recognise(Source.of_bytes(fetched.content, fetched.name)):
            if fresh:
                door.expect(STRIPE_SUITE, fetched.name, stripe.raw_columns(fetched.content, name=fetched.name))
            account = next(one.account for one in region.gateways if one.name == gateway)
            report = stripe.parse_report(
                fetched.content, name=fetched.name, gateway=gateway, account=account, report_date=day
            )
        else:
            if fresh:
                door.expect(SUITE, fetched.name, adyen.raw_columns(fetched.content, name=fetched.name))
            report = adyen.parse_report(fetched.content, name=fetched.name, gateway=gateway, report_date=day)
        report = _of_our_account(region, fetched.name, report)
    return land(lake, region, report, fetched.closed_at, livemode=False), report


def _read(path: Path) -> FetchedReport:
    try:
        return FetchedReport(str(path), path.read_bytes())
    except OSError as error:
        raise UsageError(f"The settlement report {path} cannot be read: {error.strerror}") from error


def _of_our_account(region: Region, name: str, report: SettlementReport) -> SettlementReport:
    """The report under the gateway whose account it names; one account in a file."""
    ours = {gateway.account: gateway.name for gateway in region.gateways}
    found = {line.gateway_account: line.line_number for line in reversed(report.lines)}
    for account, line_number in found.items():
        if account not in ours:
            raise SettlementReportError(
                f"{name}, line {line_number}: Merchant Account is {account!r}, "
                f"but region {region.code} has {', '.join(sorted(ours))}"
            )
    if len(found) > 1:
        raise SettlementReportError(f"{name} is about {len(found)} accounts: give one file for each")
    return replace(report, gateway=next((ours[account] for account in found), report.gateway))
