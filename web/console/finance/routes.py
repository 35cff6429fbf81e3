from datetime import date

from flask import Blueprint, Response, abort, request

from warehouse.breaks import may_match
from web.console.finance import repository
from web.console.finance.forms import breaks_of, form_values
from web.console.mode import chosen_livemode
from web.console.reading import published, region_rows
from web.console.session import signed_in
from web.console.view import page

blueprint = Blueprint("finance", __name__)

WORD_LENGTH_MAX = 40
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
    """Breaks, one by one."""
    livemode, class_, currency = _livemode(), _word("class"), _word("currency")
    with published() as build:
        rows = repository.breaks(build, livemode=livemode, class_=class_, currency=currency) if build else []
        statuses = {one.id: one.status for one in breaks_of(build)} if rows and build else {}
    return page(
        "breaks", livemode=livemode, build=build, rows=rows, class_=class_, currency=currency, statuses=statuses
    )


@blueprint.get("/finance/breaks/<break_id>")
def one_break(break_id: str) -> Response:
    """Both sides of a break: the line of the report, and what we have booked."""
    livemode = _livemode()
    with published() as build:
        found = repository.one_break(build, break_id) if build else None
        if build is None or found is None:
            abort(404)
        line = repository.settlement_line(build, found["line_id"]) if found["line_id"] else None
        known = breaks_of(build)
    one = next((each for each in known if each.id == break_id), None)
    others = [each for each in known if one is not None and each.status == "open" and may_match(one, each)]
    return page(
        "break", livemode=livemode, build=build, found=found, line=line, one=one, others=others[:OTHERS_SHOWN],
        form=form_values(),
    )  # fmt: skip


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
