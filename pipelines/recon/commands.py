"""`meridian recon …`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.books.commands import NOT_FROM_A_RERUN
from pipelines.books.commands import app as books
from pipelines.books.ledger_commands import app as ledger
from pipelines.bootstrap import environment
from pipelines.builds.commands import DateOption, RegionOption, parse_date
from regions.errors import UsageError

if TYPE_CHECKING:
    from pipelines.recon.bank_landing import LandedStatement
    from pipelines.recon.landing import Landed
    from regions.region import Region
    from warehouse.build_record import BuildRecord

DOES_NOT_FOOT = 3
app = typer.Typer(help="Reconciliation with gateways' settlement reports.", no_args_is_help=True)
app.add_typer(books)
app.add_typer(ledger)
SettlementOption = Annotated[
    Path | None,
    typer.Option("--settlement", help="A report in Adyen's or Stripe's format; nothing is fetched then."),
]
StatementOption = Annotated[
    Path | None,
    typer.Option("--statement", help="A bank statement in camt.053 or MT940; nothing is fetched then."),
]


@app.command()
def fetch(
    region: RegionOption, day: DateOption, settlement: SettlementOption = None, statement: StatementOption = None
) -> None:
    """Fetch the day's settlement report and bank statement, check that they foot, and land them; no more."""
    from pipelines.recon.service import land_files
    from regions.region import load_region
    from warehouse.lake import Lake

    env, found = environment("lake"), load_region(region)
    lake = Lake.open(found, env)
    try:
        landed, _, stated = land_files(lake, found, parse_date(day), env, settlement, statement)
    finally:
        lake.close()
    _tell(landed, stated, region, day, settlement, statement)


@app.command()
def run(
    region: RegionOption,
    day: DateOption,
    settlement: SettlementOption = None,
    statement: StatementOption = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The simulated PSP's answer key (JSON): prints precision and recall."),
    ] = None,
    *,
    post: Annotated[
        bool, typer.Option("--post/--no-post", help="Whether the books are brought to what was matched.")
    ] = True,
) -> None:
    """Land the day's settlement report and bank statement, reconcile in the candidate built for the day, and post.

    Exit code 3 if something is left over: the verdict is `incomplete` then, says where, and nothing is posted.
    """
    from pipelines.recon.score import read_key, score
    from pipelines.recon.service import reconcile_day
    from pipelines.recon.summary import print_summary
    from regions.region import load_region
    from warehouse.builds import Warehouse

    planted = None if key is None else read_key(key)
    env, found = _signing(environment("lake"), region), load_region(region)
    done = reconcile_day(found, parse_date(day), env, settlement, statement)
    if done.record.rerun_of is None or done.landed:
        _tell(done.landed, done.statement, region, day, settlement, statement)
    for name in done.unknown_types:
        typer.echo(f"the report has lines of a type that we do not know: {name}", err=True)
    for warning in done.record.warnings:
        typer.echo(f"warning: {warning}", err=True)
    build = Warehouse.open(found, env).path(done.record.number)
    print_summary(build, done.record.business_date)
    if planted is not None:
        for sentence in score(build, done.record.business_date, planted).sentences():
            typer.echo(sentence)
    signed = "signed" if done.is_signed else "not signed, the job knows no vault"
    typer.echo(f"verdict: {done.verdict.name}; manifest of build-{done.record.number} kept, {signed}")
    for place in done.verdict.places:
        typer.echo(f"  {place}", err=True)
    if not done.verdict.is_complete:
        raise typer.Exit(DOES_NOT_FOOT)
    if post:
        typer.echo(_post(found, done.record))


@app.command()
def check(
    region: RegionOption,
    number: Annotated[int | None, typer.Option("--build", help="A build's number; else the published one.")] = None,
) -> None:
    """Hold a build against the second implementation and its signed manifest; exit code 3 if they differ."""
    from pipelines.recon.proof import check_run
    from regions.region import load_region
    from warehouse.builds import Warehouse

    env, found = _signing(environment("lake"), region), load_region(region)
    told = check_run(Warehouse.open(found, env), number, env)
    for sentence in told.passed:
        typer.echo(sentence)
    for sentence in told.failed:
        typer.echo(sentence, err=True)
    if told.failed:
        raise typer.Exit(DOES_NOT_FOOT)


@app.command()
def contract(
    region: RegionOption,
    day: DateOption,
    gateway: Annotated[str, typer.Option(help="The gateway.")],
    account: Annotated[str, typer.Option(help="Our account there.")],
    amount: Annotated[int, typer.Option(help="A gross amount, in minor units.")],
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")],
    method: Annotated[str, typer.Option(help="Payment method or card brand, as the gateway names it.")] = "",
    variant: Annotated[str, typer.Option(help="The card's product, as the gateway names it.")] = "",
    kind: Annotated[str, typer.Option(help="payment, refund, or a kind of chargeback.")] = "payment",
) -> None:
    """Say which contract with a gateway holds on a day, and what it charges; refuses contracts that contradict."""
    from pipelines.recon.fee_book import load_fee_book
    from pipelines.recon.fees import Traits
    from regions.money import Money
    from regions.region import load_region

    traits = Traits(gateway, account, method, variant, load_region(region).code, currency)
    found = load_fee_book().choose(traits, parse_date(day))
    if found is None:
        raise UsageError(f"No contract with {gateway} is about that on {day}: whatever it charges is an anomaly")
    expected = found.expected(kind, currency, amount)
    parts = ", ".join(f"{component} {Money(charged, currency)}" for component, charged in expected.items())
    typer.echo(f"contract {found.name}: {parts}; together {Money(sum(expected.values()), currency)}")


@app.command()
def inspect(
    file: Annotated[
        Path, typer.Argument(help="A settlement report (Adyen, Stripe) or statement (camt.053, camt.054, MT940).")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
) -> None:
    """Say what a file is, by its content, and whether it foots; lands nothing. Exit code 3 if it does not foot."""
    from pipelines.recon.formats.inspection import inspect as inspect_file
    from pipelines.recon.formats.source import Source
    from pipelines.recon.inspection_table import print_inspection

    found = inspect_file(Source.of_path(file))
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print_inspection(found)
    if not found["foots"]:
        raise typer.Exit(DOES_NOT_FOOT)


def _signing(env: dict[str, str], region: str) -> dict[str, str]:
    """The environment of the job, with the region's vault if there is one: manifests are signed with its key."""
    name = f"VAULT_URI_{region.upper()}"
    vault = environment("retention").get(name)
    return env | {name: vault} if vault else env


def _post(region: "Region", record: "BuildRecord") -> str:
    """Post from the very build that was reconciled; what to say about it."""
    from pipelines.books.service import post_build

    env = environment("web")
    if not env.get(f"SERVICE_KEY_{region.code.upper()}"):
        return f"nothing posted: the job knows no SERVICE_KEY_{region.code.upper()} (see `meridian recon post`)"
    posted = post_build(region, environment("reader"), env, record)
    return posted.sentence(region.code) if posted else NOT_FROM_A_RERUN


def _tell(
    landed: "Landed | None",
    stated: "LandedStatement | None",
    region: str,
    day: str,
    settlement: Path | None,
    statement: Path | None,
) -> None:
    """Of files, only what was asked for."""
    if settlement or not statement:
        typer.echo(_landing(landed, region, day))
    if statement or not settlement:
        typer.echo(_stating(stated, region, day))


def _landing(landed: "Landed | None", region: str, day: str) -> str:
    if landed is None:
        return f"the gateway has no settlement report of {day} for {region} yet: what was booked stays in transit"
    what = "landed" if landed.is_new else "unchanged since it was landed"
    return f"settlement report {landed.report}: {landed.line_count} lines, {what} (sha256 {landed.sha256[:12]}…)"


def _stating(landed: "LandedStatement | None", region: str, day: str) -> str:
    if landed is None:
        return f"the bank has no statement of {day} for {region} yet"
    what = "landed" if landed.is_new else "unchanged since it was landed"
    return (
        f"bank statement of {day}: {landed.statement_count} accounts, {landed.entry_count} entries, it foots, {what} "
        f"(sha256 {landed.sha256[:12]}…)"
    )
