"""`meridian recon post | breaks | resolve | close | report`."""

import json
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import RegionOption, parse_date
from regions.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regions.region import Region
    from warehouse.breaks import Break
    from warehouse.reports.model import Result

app = typer.Typer()
NOT_FROM_A_RERUN = "nothing posted: the build is a rerun of recorded inputs, and the books may know more by now"
LastDay = Annotated[str | None, typer.Option("--date", help="The last business date; else the published build's.")]
By = Annotated[str, typer.Option("--by", help="Who decides: the console's e-mail address of somebody of finance.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")]


@app.command()
def post(
    region: RegionOption,
    day: LastDay = None,
    since: Annotated[str | None, typer.Option("--since", help="The first business date; else 45 days before.")] = None,
) -> None:
    """Bring the books to what the published build says; posting again changes nothing."""
    from pipelines.books.service import post_day
    from regions.region import load_region

    found = load_region(region)
    posted = post_day(found, environment("reader"), environment("web"), _day(day), _day(since, "--since"))
    typer.echo(posted.sentence(region) if posted else NOT_FROM_A_RERUN)


@app.command()
def breaks(
    region: RegionOption,
    class_: Annotated[str | None, typer.Option("--class", help="Only this class.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only open, proposed or resolved ones.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> None:
    """List the published build's breaks: named, aged, owned, and how far their resolution is."""
    from regions.money import Money

    with _breaks_of(region) as (_, found):
        shown = [
            one
            for one in found
            if (class_ is None or one.facts["class"] == class_) and (status is None or one.status == status)
        ]
    if as_json:
        typer.echo(json.dumps([one.document() for one in shown], indent=1))
        return
    for one in shown:
        facts = one.facts
        amount = Money(facts["amount_minor"], facts["currency"])
        owner = f"  {facts['owner']}" if facts["owner"] else ""
        typer.echo(f"{one.id}  {facts['class']:<18}  {amount!s:>18}  {one.age_bucket:>5} days  {one.status}{owner}")
    typer.echo(f"{len(shown)} breaks")


@app.command()
def resolve(
    break_id: Annotated[str, typer.Argument(help="The break's id.")],
    region: RegionOption,
    by: By,
    reason: Reason = "",
    *,
    write_off: Annotated[
        bool, typer.Option("--write-off", help="Propose to give it up; somebody else approves.")
    ] = False,
    match: Annotated[
        str | None, typer.Option("--match", help="The break on the other side that it belongs to.")
    ] = None,
    item: Annotated[bool, typer.Option("--item", help="Of a break with two sides, write off the booked one.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Approve what was proposed.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Reject what was proposed.")] = False,
    reopen: Annotated[bool, typer.Option("--reopen", help="Take back what was approved.")] = False,
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key; a random one if not given.")] = None,
) -> None:
    """Resolve a break: propose, approve, reject or re-open. Each step that books is one balanced journal."""
    from pipelines.internal_api import command
    from warehouse.breaks import one_break, proposal

    decisions = [name for name, is_on in (("approved", approve), ("rejected", reject), ("reopened", reopen)) if is_on]
    if write_off + (match is not None) + len(decisions) != 1:
        raise UsageError("Give one of --write-off, --match, --approve, --reject and --reopen.")
    with _breaks_of(region) as (home, found):
        one = one_break(found, break_id)
        if decisions:
            if one.resolution is None:
                raise UsageError(f"Nothing was proposed about {one.id}.")
            path = f"recon/resolutions/{one.resolution.id}/decisions"
            body: dict[str, Any] = {"decision": decisions[0], "actor": by, "reason": reason or None}
        else:
            if not reason:
                raise UsageError("Say why with --reason.")
            other = one_break(found, match) if match else None
            path, body = "recon/resolutions", proposal(one, other, reason, by, "item" if item else None)
    answer = command(home, environment("web"), path, body, key=key)
    booked = f", journal {answer['journal_id']}" if answer["journal_id"] else ""
    typer.echo(f"{answer['id']}: {answer['action']} of {one.id} is {answer['status']}{booked}")


@app.command()
def close(
    region: RegionOption,
    through: Annotated[str, typer.Option("--through", help="The last day of the period, YYYY-MM-DD.")],
    by: By,
    reason: Reason,
) -> None:
    """Close the books through a day: nothing is booked there any more, what is late goes to the first open day."""
    from pipelines.internal_api import command
    from regions.region import load_region

    body = {"through": parse_date(through, "--through").isoformat(), "actor": by, "reason": reason}
    answer = command(load_region(region), environment("web"), "ledger/closes", body)
    typer.echo(f"the books of {region} are closed through {answer['through']}")


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="Which one; `list` names them all.")],
    region: RegionOption,
    since: Annotated[str | None, typer.Option("--since", help="The first day; else the first of the month.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="The last day; else the published build's.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, json, csv, xlsx, parquet or html.")] = "table",
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; needed for xlsx and parquet.")] = None,
    locale: Annotated[
        str | None, typer.Option("--locale", help="The reader's, such as de-DE; else the region's.")
    ] = None,
    *,
    live: Annotated[bool, typer.Option("--live/--test", help="Live money, or test.")] = False,
) -> None:
    """Make a report for finance from the published build."""
    from pipelines.books import reporting
    from regions.region import load_region
    from warehouse.reports.render import FORMATS, write_file

    if name == "list":
        for one, about in reporting.catalogue():
            typer.echo(f"{one:<22} {about}")
        return
    if form not in {"table", "json", "html", *FORMATS}:
        raise UsageError(f"{form!r} is no format: use table, json, html, {', '.join(FORMATS)}.")
    if form in {"xlsx", "parquet"} and out is None:
        raise UsageError(f"Say with --out where the {form} file goes.")
    home = load_region(region)
    env, days, locale = (
        environment("reader"),
        (_day(since, "--since"), _day(until, "--until")),
        locale or home.default_locale,
    )
    if form == "html":
        result, content = reporting.make_page(home, env, name, days, locale, livemode=live)
    else:
        result = reporting.make(home, env, name, *days, livemode=live)
        content = b"" if form == "table" else _content(result, form, locale)
    if form == "table":
        reporting.print_table(result)
        return
    if out is None:
        typer.echo(content.decode(), nl=form == "json")
        return
    write_file(out, content)
    typer.echo(f"{out}: {result.report.title}, {len(result.rows)} rows from build {result.build}")


def _content(result: "Result", form: str, locale: str) -> bytes:
    from pipelines.books import reporting
    from warehouse.reports.render import render

    return reporting.to_json(result).encode() if form == "json" else render(result, form, locale)


@contextmanager
def _breaks_of(region: str) -> "Iterator[tuple[Region, list[Break]]]":
    import psycopg

    from pipelines.books.service import published_record
    from regions.region import load_region
    from warehouse.breaks import RESOLUTIONS, load_breaks
    from warehouse.builds import Warehouse
    from warehouse.query import open_published

    home, env = load_region(region), environment("reader")
    record = published_record(home, env)
    with open_published(Warehouse.open(home, env)) as build, psycopg.connect(home.database_url(env)) as database:
        yield home, load_breaks(build, record.business_date, database.execute(RESOLUTIONS))


def _day(text: str | None, option: str = "--date") -> date | None:
    return None if text is None else parse_date(text, option)
