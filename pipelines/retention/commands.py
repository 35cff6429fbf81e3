"""`meridian retention …`."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import parse_date
from regions.errors import UsageError
from regions.retention import data_classes

if TYPE_CHECKING:
    from datetime import date

    from pipelines.retention.opening import Office

app = typer.Typer(help="Retention and erasure: planned as data, approved, run, proven.", no_args_is_help=True)
hold_app = typer.Typer(help="Legal holds: what they cover stays, whatever else says so.", no_args_is_help=True)
app.add_typer(hold_app, name="hold")

RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]
DateOption = Annotated[str, typer.Option("--date", help="The day on which clocks are read, YYYY-MM-DD.")]
OptionalDateOption = Annotated[str | None, typer.Option("--date", help="The day on which clocks are read, YYYY-MM-DD.")]
PlanOption = Annotated[
    str | None, typer.Option("--plan", help="The beginning of the plan's hash; else the day's last.")
]
PersonOption = Annotated[str, typer.Option("--by", help="The name of the person who does this.")]
HASH_SHOWN = 12


@app.command()
def request(
    region: RegionOption,
    subject: Annotated[str, typer.Option("--subject", help="The data subject, subj_….")],
    *,
    by: PersonOption = "data subject",
    reason: Annotated[str, typer.Option("--reason", help="Why, in a few words.")] = "erasure asked for",
    key: Annotated[str | None, typer.Option("--idempotency-key", help="The same key asks once.")] = None,
) -> None:
    """Record that a data subject wants to be erased, through the region's internal API."""
    from pipelines.retention.request import request_erasure
    from regions.region import load_region

    found = request_erasure(
        load_region(region), environment("retention"), subject=subject, person=by, reason=reason, key=key
    )
    typer.echo(f"{found['id']}: {found['subject_id']} asked to be erased, {found['status']}")


@app.command()
def plan(
    region: RegionOption,
    day: DateOption,
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print the document that is hashed.")] = False,
) -> None:
    """Show what has to go and what may go on a day, by which rule and law. Only the plan is recorded."""
    from pipelines.retention import store
    from pipelines.retention.document import table
    from pipelines.retention.planning import make_plan

    on = parse_date(day)
    with _office(region) as office:
        made = make_plan(office.at, on)
        store.keep(office.at.connection, made, on)
    typer.echo(made.text if is_json else "\n".join(table(made)))


@app.command()
def approve(region: RegionOption, day: DateOption, by: PersonOption, hash_prefix: PlanOption = None) -> None:
    """Approve a plan by name; the approval is bound to the plan's hash."""
    from pipelines.retention import store

    if not by.strip():
        raise UsageError("--by is blank: an approval needs a person's name")
    with _office(region) as office:
        stored = store.latest(office.at.connection, region, parse_date(day), hash_prefix)
        stored.plan  # noqa: B018 - refuses an altered one
        store.approve(office.at.connection, stored.hash, by.strip())
        now = store.latest(office.at.connection, region, parse_date(day), stored.hash.hex())
    typer.echo(f"plan {now.hash.hex()[:HASH_SHOWN]} of {region} for {day} is {now.status} by {now.approved_by}")


@app.command()
def run(
    region: RegionOption,
    day: OptionalDateOption = None,
    hash_prefix: PlanOption = None,
    *,
    is_approved: Annotated[
        bool, typer.Option("--approved", help="The plan approved last, or begun, of whichever day; none is no mistake.")
    ] = False,
) -> None:
    """Do exactly what the approved plan says; after an interruption, go on."""
    from pipelines.retention import store
    from pipelines.retention.running import run as run_plan

    on = _day_or(day, "--approved", is_given=is_approved)
    with _office(region) as office:
        if on is None:
            approved = store.approved(office.at.connection)
            if approved is None:
                typer.echo(f"no approved plan of {region} is waiting: there is nothing to do")
                return
            on, hash_prefix = approved.day, approved.hash.hex()
        stored = run_plan(office.at, office.vault, office.env, on, hash_prefix, typer.echo)
    typer.echo(f"plan {stored.hash.hex()[:HASH_SHOWN]} of {region} for {on} is {stored.status}")


@app.command()
def verify(region: RegionOption, day: DateOption, hash_prefix: PlanOption = None) -> None:
    """Search every store for what was erased, after each search has found what is certainly there."""
    from pipelines.retention import store
    from pipelines.retention.verifying import verify as verify_plan

    with _office(region) as office:
        stored = store.latest(office.at.connection, region, parse_date(day), hash_prefix)
        found = verify_plan(office.at, office.vault, office.env, stored)
    typer.echo(
        f"{found['values_searched']} values searched for, nothing found "
        f"({found['values_shared_with_others']} shared with others were checked row by row)"
    )
    typer.echo(f"each search found its canary first: {', '.join(found['canaries_found'])}")
    for searched in found["searched"]:
        looked = ", ".join(f"{count:,} {what}" for what, count in searched["looked_at"].items())
        typer.echo(f"  {searched['store']:<10} {looked or 'nothing there'}")
        for place in searched["remains"]:
            typer.echo(f"  {'':<10} remains: {place}")


@app.command()
def certificate(
    region: RegionOption,
    day: OptionalDateOption = None,
    hash_prefix: PlanOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write it.")] = None,
    *,
    is_outstanding: Annotated[
        bool, typer.Option("--outstanding", help="Every plan that is done and has none; none is no mistake.")
    ] = False,
) -> None:
    """Verify, write the signed certificate of what was erased, and forget what was searched for."""
    from pipelines.retention import store
    from pipelines.retention.certifying import certify

    on = _day_or(day, "--outstanding", is_given=is_outstanding)
    if out is not None and on is None:
        raise UsageError("--out names one file: give it with --date")
    with _office(region) as office:
        if on is not None:
            wanted = [(on, hash_prefix)]
        else:
            wanted = [(done.day, done.hash.hex()) for done in store.uncertified(office.at.connection)]
        for when, prefix in wanted:
            path, signed = certify(office, when, prefix, out, datetime.now(UTC))
            content = signed["certificate"]
            typer.echo(f"{path}: {len(content['erased'])} erasures certified, signed with key {content['key']}")
    if not wanted:
        typer.echo(f"every plan of {region} that is done has its certificate")


@app.command()
def status(
    region: RegionOption,
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show open requests and the plans of the region, the newest first."""
    from pipelines.retention import store

    with _office(region, is_alone=False) as office:
        shown = store.overview(office.at.connection)
    if is_json:
        typer.echo(json.dumps(shown, indent=2))
        return
    for found in shown["requests"]:
        typer.echo(f"request {found['id']}  {found['subject']}  {found['status']} since {found['received_at']}")
    for found in shown["plans"]:
        approved = f"  approved by {found['approved_by']}" if found["approved_by"] else ""
        certified = "  certified" if found["is_certified"] else ""
        typer.echo(f"plan {found['hash'][:HASH_SHOWN]}  {found['date']}  {found['status']}{approved}{certified}")


@hold_app.command("add")
def add_hold(
    region: RegionOption,
    by: PersonOption,
    reason: Annotated[str, typer.Option("--reason", help="The matter that it is placed for.")],
    *,
    subject: Annotated[str | None, typer.Option("--subject", help="Cover one data subject.")] = None,
    merchant: Annotated[str | None, typer.Option("--merchant", help="Cover one merchant.")] = None,
    data_class: Annotated[str | None, typer.Option("--class", help="Cover one data class; else every class.")] = None,
) -> None:
    """Place a legal hold; without a subject or merchant it covers the region."""
    from pipelines.retention import store
    from regions.ids import new_id

    if data_class is not None and data_class not in data_classes():
        raise UsageError(f"--class is {data_class!r}: use one of {', '.join(sorted(data_classes()))}")
    hold_id = new_id("hold", region)
    with _office(region, is_alone=False) as office:
        store.add_hold(
            office.at.connection,
            hold_id,
            subject=subject,
            merchant=merchant,
            data_class=data_class,
            reason=reason,
            person=by,
        )
    typer.echo(hold_id)


@hold_app.command("release")
def release_hold(
    region: RegionOption, hold_id: Annotated[str, typer.Argument(help="The hold, hold_….")], by: PersonOption
) -> None:
    """Release a legal hold."""
    from pipelines.retention import store

    with _office(region, is_alone=False) as office:
        store.release_hold(office.at.connection, hold_id, by)
    typer.echo(f"{hold_id} is released")


@hold_app.command("list")
def list_holds(region: RegionOption) -> None:
    """List every hold, the oldest first."""
    from pipelines.retention import store

    with _office(region, is_alone=False) as office:
        holds = store.list_holds(office.at.connection)
    for hold_id, covered, what, reason, placed_by, placed_at, released_by, _ in holds:
        end = f"released by {released_by}" if released_by else "in force"
        typer.echo(f"{hold_id}  {covered}: {what}  {reason}  placed by {placed_by} on {placed_at:%Y-%m-%d}, {end}")


def _day_or(day: str | None, option: str, *, is_given: bool) -> date | None:
    """The date, or None where `option` chooses the plan. Raises UsageError unless exactly one of them is given."""
    if (day is None) != is_given:
        raise UsageError(f"say either --date DATE or {option}")
    return None if day is None else parse_date(day)


def _office(region: str, *, is_alone: bool = True) -> AbstractContextManager[Office]:
    from pipelines.retention.opening import opened
    from regions.region import load_region

    return opened(load_region(region), environment("retention"), is_alone=is_alone)
