from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, request

from warehouse.breaks import Break, may_match
from web.console.finance import repository
from web.console.finance.forms import breaks_of, form_values
from web.console.mode import chosen_livemode
from web.console.reading import Build, published, region_rows
from web.console.session import signed_in
from web.console.view import page

blueprint = Blueprint("finance", __name__)

WORD_LENGTH_MAX = 40
BREAKS_SHOWN = 200
OTHERS_SHOWN = 100


@blueprint.get("/finance")
def reconciliation() -> Response:
    """A day's bridge from our books to the gateway's report, and every open break by class and age."""
    livemode = _livemode()
    with published() as build:
        if build is None:
            return page("reconciliation", livemode=livemode, build=None)
        days = repository.dates(build, livemode=livemode)
        day = _day(days)
        rows = repository.summary(build, day, livemode=livemode) if day else []
        aged = repository.breaks_by_age(build, livemode=livemode)
    return page(
        "reconciliation", livemode=livemode, build=build, days=days, day=day, rows=rows, aged=aged,
        ages=repository.AGES,
    )  # fmt: skip


@blueprint.get("/finance/breaks")
def breaks() -> Response:
    """Breaks of both legs, one by one, the newest first."""
    livemode, asked = _livemode(), {name: _word(name) for name in ("leg", "class", "currency", "status")}
    with published() as build:
        known = [one for one in (breaks_of(build) if build else []) if one.facts["livemode"] == livemode]
    found = [one for one in known if all(value in {None, _said(one, name)} for name, value in asked.items())]
    found.sort(key=lambda one: (one.age_days, -abs(one.facts["amount_minor"]), one.id))
    choices = {
        name: sorted({_said(one, name) for one in known} | {value or ""} - {""}) for name, value in asked.items()
    }
    return page(
        "breaks", livemode=livemode, build=build, rows=found[:BREAKS_SHOWN], found=len(found), asked=asked,
        choices=choices,
    )  # fmt: skip


@blueprint.get("/finance/breaks/<break_id>")
def one_break(break_id: str) -> Response:
    """Both sides of a break: the gateway's report and our books, or the gateway's report and the bank's statements."""
    livemode = _livemode()
    with published() as build:
        if build is None:
            abort(404)
        template, sides = _sides(build, break_id)
        known = breaks_of(build)
    one = next((each for each in known if each.id == break_id), None)
    others = [each for each in known if one is not None and each.status == "open" and may_match(one, each)]
    return page(
        template, livemode=livemode, build=build, one=one, others=others[:OTHERS_SHOWN], form=form_values(), **sides
    )


def _sides(build: Build, break_id: str) -> tuple[str, dict[str, Any]]:
    """The page of a break's leg, and what it shows; 404 if no leg has it."""
    if found := repository.one_break(build, break_id):
        line = repository.settlement_line(build, found["line_id"]) if found["line_id"] else None
        return "break", {"found": found, "line": line}
    found = repository.bank_break(build, break_id) or abort(404)
    lines, entries = repository.payout_lines(build, found), repository.bank_entries(build, found)
    return "bank_break", {"found": found, "lines": lines, "entries": entries}


def _said(one: Break, name: str) -> str:
    return one.status if name == "status" else str(one.facts[name])


def _livemode() -> bool:
    with region_rows(signed_in()) as connection:
        return chosen_livemode(connection)


def _day(days: list[date]) -> date | None:
    """The day asked for, else the newest; a day without a summary is no page."""
    asked = request.args.get("date") or None
    if asked is None:
        return days[0] if days else None
    found = next((day for day in days if day.isoformat() == asked), None)
    return found or abort(404)


def _word(name: str) -> str | None:
    value = request.args.get(name) or None
    if value is not None and len(value) > WORD_LENGTH_MAX:
        abort(404)
    return value
