"""`meridian fx …`: reference rates by hand."""

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import DateOption, RegionOption, parse_date
from pipelines.fx.ecb import bundled_history
from pipelines.fx.rates import CrossRate, RateError, RateTable, convert_minor
from regions.errors import UsageError
from regions.money import Money, exponent
from regions.target_days import central_date

app = typer.Typer(help="Reference exchange rates: what applied when, and what an amount becomes.", no_args_is_help=True)


class Format(StrEnum):
    """How to print."""

    TEXT = "text"
    JSON = "json"


@app.command()
def convert(
    amount: Annotated[str, typer.Argument(help="In major units, e.g. 12.34")],
    base: Annotated[str, typer.Argument(help="ISO 4217 code of the amount")],
    quote: Annotated[str, typer.Argument(help="ISO 4217 code to convert to")],
    on: Annotated[str | None, typer.Option(help="Take the last rate dated on or before this day, YYYY-MM-DD")] = None,
    at: Annotated[str | None, typer.Option(help="Take the last rate published by this moment, ISO 8601")] = None,
    region: Annotated[
        str | None, typer.Option(help="Take the rates of this region's lake instead of the bundled history")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="text or json")] = Format.TEXT,
) -> None:
    """Convert an amount at the ECB reference rate that applied; rounds once, half-even, to the target's minor unit."""
    if (on is None) == (at is None):
        raise UsageError("say either --on DATE or --at TIMESTAMP: without a day there is no rate")
    money = Money.from_decimal(_decimal(amount), base.upper())
    target = quote.upper()
    exponent(target)  # an unknown code is named before any rate is looked up
    try:
        cross = _cross(_rates_of(region), money.currency, target, on, at)
    except RateError as error:
        raise UsageError(str(error)) from error
    minor = convert_minor(money.amount_minor, cross.rate, exponent(base.upper()), exponent(target))
    _print(money, Money(minor, target), cross, output)


@app.command()
def load(
    region: RegionOption,
    day: DateOption,
    file: Annotated[Path | None, typer.Option(help="A rate file in the ECB's form, in place of what is served")] = None,
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Fetch every daily file again.")] = False,
) -> None:
    """Load the ECB's history and the daily files up to a day into the lake; what is there already stays as it is.

    A file that does not meet the expectations goes to quarantine, and nothing is written.
    """
    from pipelines.fx.load import load_rates
    from regions.region import load_region
    from warehouse.lake import Lake

    env, found = environment("lake"), load_region(region)
    lake = Lake.open(found, env)
    try:
        loaded = load_rates(lake, found, parse_date(day), env, file=file, refresh=refresh)
    finally:
        lake.close()
    sources = ", ".join(f"{name} {count}" for name, count in sorted(loaded.days_by_source.items()))
    typer.echo(f"rates of {loaded.first} to {loaded.last} in the lake of {region}; days by source: {sources}")
    what = f"{len(loaded.new_files)} new files, {loaded.row_count} rates" if loaded.row_count else "nothing new"
    typer.echo(what)


def _rates_of(region: str | None) -> RateTable:
    if region is None:
        return RateTable(bundled_history())
    from pipelines.fx.landing import stored_table
    from regions.region import load_region
    from warehouse.lake import Lake, LakeTableMissingError

    lake = Lake.open(load_region(region), environment("reader"))
    try:
        return stored_table(lake)
    except LakeTableMissingError as error:
        raise UsageError(f"--region {region}: its lake holds no rates yet, run `meridian fx load` first") from error
    finally:
        lake.close()


def _cross(table: RateTable, base: str, quote: str, on: str | None, at: str | None) -> CrossRate:
    if on is not None:
        return table.cross(base, quote, table.published_on(parse_date(on, "--on")))
    moment = _moment(at or "")
    return table.cross(base, quote, table.published_at(moment, central_date(moment)))


def _print(money: Money, converted: Money, cross: CrossRate, output: Format) -> None:
    if output is Format.JSON:
        fields = {
            "amount_minor": money.amount_minor,
            "currency": money.currency,
            "converted_minor": converted.amount_minor,
            "converted_currency": converted.currency,
            "rate": str(_decimal_of(cross)),
            "rate_date": cross.rate_date.isoformat(),
            "source": cross.source,
        }
        typer.echo(json.dumps(fields))
        return
    typer.echo(f"{money.to_decimal()} {money.currency} = {converted.to_decimal()} {converted.currency}")
    typer.echo(
        f"1 {cross.base} = {_decimal_of(cross)} {cross.quote} (rate date {cross.rate_date}, source {cross.source})"
    )


def _decimal_of(cross: CrossRate) -> Decimal:
    """For reading only: the exact rate is a fraction."""
    return (
        (Decimal(cross.rate.numerator) / Decimal(cross.rate.denominator)).quantize(Decimal("0.0000000001")).normalize()
    )


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise UsageError(f"`{text}` is not an amount: write it like 12.34") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at: `{text}` is not a moment: write it like 2026-03-02T15:59:00+01:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
