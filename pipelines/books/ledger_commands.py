"""`meridian recon revalue | export | invoices`: what the period's end and other ledgers need."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import RegionOption, parse_date
from regions.errors import UsageError

NOT_ALL = 3
app = typer.Typer()


@app.command("revalue")
def revalue_balances(
    region: RegionOption,
    through: Annotated[str, typer.Option("--through", help="The last day of the period, YYYY-MM-DD.")],
) -> None:
    """Revalue open balances in foreign currencies at the closing rate, as journals that the next day takes back.

    Exit code 3 if a balance has no rate: it is named, and not guessed.
    """
    from pipelines.books.service import revalue_day
    from regions.money import Money
    from regions.region import load_region

    home = load_region(region)
    done = revalue_day(home, environment("reader"), environment("web"), parse_date(through, "--through"))
    for one in done.found:
        balance, change = Money(one.balance_minor, one.currency), Money(one.adjustment_minor, home.currencies[0])
        typer.echo(f"{one.account:<32} {balance!s:>20}  {change!s:>16}  at the rate of {one.rate_date}")
    for sentence in done.refused:
        typer.echo(f"not revalued: {sentence}", err=True)
    counted = done.done
    typer.echo(f"{counted.posted} posted, {counted.reversed} taken back, {counted.unchanged} unchanged")
    if done.refused:
        raise typer.Exit(NOT_ALL)


@app.command("export")
def export_journals(
    region: RegionOption,
    since: Annotated[str, typer.Option("--since", help="The first day, YYYY-MM-DD.")],
    until: Annotated[str, typer.Option("--until", help="The last day, YYYY-MM-DD.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    layout: Annotated[
        str, typer.Option("--layout", help="generic, xero, quickbooks, netsuite or camt053.")
    ] = "generic",
    account: Annotated[str | None, typer.Option("--account", help="The ledger account of a camt053.")] = None,
    chart: Annotated[
        Path | None, typer.Option("--chart", help="A CSV of two columns: our account, and what that ledger calls it.")
    ] = None,
    *,
    live: Annotated[bool, typer.Option("--live/--test", help="Live money, or test.")] = False,
) -> None:
    """Export the books' journals: as CSV for other ledgers, or one account as an ISO 20022 statement (camt.053)."""
    from pipelines.books.service import published_record
    from regions.region import load_region
    from warehouse.builds import Warehouse
    from warehouse.query import open_published
    from warehouse.reports import erp
    from warehouse.reports.render import write_file

    home, env = load_region(region), environment("reader")
    first, last = parse_date(since, "--since"), parse_date(until, "--until")
    if first > last or (account is None) == (layout == "camt053"):
        raise UsageError("Give --since before --until, and --account with --layout camt053 only.")
    _check_day(last, published_record(home, env).business_date)
    with open_published(Warehouse.open(home, env)) as build:
        if account is not None:
            moment = datetime.now(UTC)
            files = [erp.to_camt053(build, account, first, last, livemode=live, region=region, now=moment)]
        else:
            files = erp.to_files(erp.entries(build, first, last, livemode=live), layout, _chart(chart))
    for number, content in enumerate(files, 1):
        name = out if len(files) == 1 else out.with_stem(f"{out.stem}-{number}-of-{len(files)}")
        write_file(name, content.encode())
        typer.echo(f"{name}: journals of {first} to {last}")


@app.command("invoices")
def make_invoices(
    region: RegionOption,
    month: Annotated[str, typer.Option("--month", help="The month, YYYY-MM, or any day of it.")],
    merchant: Annotated[str | None, typer.Option("--merchant", help="Only this merchant's.")] = None,
    by: Annotated[
        str | None, typer.Option("--issue-by", help="Issue them; the e-mail address of who does, of finance.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="json, csv, xlsx or html, to print.")] = "json",
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; needed for xlsx.")] = None,
    locale: Annotated[
        str | None, typer.Option("--locale", help="The reader's, such as de-DE; else the region's.")
    ] = None,
    *,
    is_issued: Annotated[bool, typer.Option("--issued", help="Show what was issued, credit notes too.")] = False,
    live: Annotated[bool, typer.Option("--live/--test", help="Live money, or test.")] = False,
) -> None:
    """Make merchants' invoices of a month: tiers of volume, use by the piece, the contract's minimum, tax by rate."""
    from pipelines.books import billing
    from pipelines.books.service import published_record
    from regions.region import load_region
    from warehouse.reports.invoices import month_of
    from warehouse.reports.render import write_file

    if form not in billing.FORMATS:
        raise UsageError(f"{form!r} is no format: use {', '.join(billing.FORMATS)}.")
    if is_issued and by is not None:
        raise UsageError("Give --issue-by or --issued, not both.")
    if form == "xlsx" and out is None:
        raise UsageError("Say with --out where the xlsx file goes.")
    home, env, day = load_region(region), environment("reader"), _in_month(month)
    read = billing.issued if is_issued else billing.drafts
    found = read(home, env, day, livemode=live, merchant_id=merchant)
    if by is not None:
        _check_day(month_of(day)[1], published_record(home, env).business_date)
        found = billing.issue(home, environment("web"), found, by)
    content = billing.render_invoices(home, env, found, day, form, locale or home.default_locale)
    if out is None:
        typer.echo(content.decode(), nl=form == "json")
        return
    write_file(out, content)
    typer.echo(f"{out}: {len(found)} invoices of {day:%Y-%m}")


@app.command("credit")
def credit_invoice(
    number: Annotated[str, typer.Argument(help="The invoice's number.")],
    region: RegionOption,
    merchant: Annotated[str, typer.Option("--merchant", help="Whose invoice it is.")],
    by: Annotated[str, typer.Option("--by", help="Who decides: the console's e-mail address of somebody of finance.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is printed on the credit note.")],
    *,
    live: Annotated[bool, typer.Option("--live/--test", help="Live money, or test.")] = False,
) -> None:
    """Take an invoice back, whole, by a credit note with a number of its own."""
    from pipelines.internal_api import command
    from regions.region import load_region

    body = {"merchant_id": merchant, "livemode": live, "number": number, "actor": by, "reason": reason}
    answer = command(load_region(region), environment("web"), "invoices/credit-notes", body)
    typer.echo(f"{answer['number']} takes back {answer['credits']}")


def _chart(path: Path | None) -> dict[str, str]:
    """Accounts by what another ledger calls them."""
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return dict(csv.reader(file))  # raises ValueError for a line of one column, or of three
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no chart of accounts, two columns a line: {error}") from error


def _check_day(last: date, business_date: date) -> None:
    if last > business_date:
        raise UsageError(f"The published build is for {business_date}: it does not have all of {last}.")


def _in_month(text: str) -> date:
    """A day of the month that an option names, by itself or by any of its days. Raises UsageError."""
    return parse_date(f"{text}-01" if text.count("-") == 1 else text, "--month")
