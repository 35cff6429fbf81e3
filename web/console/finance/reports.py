"""Finance's reports on the console: as pages whose figures lead to their lines, and as files."""

from datetime import date
from typing import Any

from flask import Response, abort, request, url_for
from sqlalchemy import Connection, text

from regions.errors import UsageError
from warehouse.reports.catalogue import REPORTS
from warehouse.reports.model import Asked, Column, Kind, Report, Result, run
from warehouse.reports.page import report_page
from warehouse.reports.paper import Customer
from warehouse.reports.render import FORMATS, render
from web.console.finance.files import MEDIA, PRINTED, reader_locale
from web.console.finance.routes import blueprint
from web.console.mode import chosen_livemode
from web.console.reading import Build, published, region_rows
from web.console.session import signed_in
from web.console.view import page
from web.console.wiring import wired

ROWS_SHOWN = 500
VALUE_LENGTH_MAX = 120
_NAMES = text("SELECT id, name FROM merchants")
_FIGURES = {Kind.MONEY, Kind.COUNT, Kind.SHARE}


@blueprint.get("/finance/reports")
def reports() -> Response:
    """Every report, by name."""
    with region_rows(signed_in()) as connection:
        livemode = chosen_livemode(connection)
    return page("reports", livemode=livemode, reports=[one for one in REPORTS.values() if not one.is_detail])


@blueprint.get("/finance/reports/<name>")
def report(name: str) -> Response:
    """One report of the published build."""
    found = REPORTS.get(name) or abort(404)
    with region_rows(signed_in()) as connection:
        livemode = chosen_livemode(connection)
    with published() as build:
        if build is None:
            return page("report", livemode=livemode, build=None, report=found)
        result = _ask(found, build, livemode=livemode)
    rows = result.dicts()
    return page(
        "report", livemode=livemode, build=build, report=found, asked=result.asked, found=len(rows),
        rows=[(row, _leads_to(result, row)) for row in rows[:ROWS_SHOWN]], figures=_FIGURES, leads=_leads,
        here=_query(result.asked), formats=(*FORMATS, PRINTED), kinds=Kind,
    )  # fmt: skip


@blueprint.get("/finance/reports/<name>/<form>")
def report_file(name: str, form: str) -> Response:
    """The same as a file, in the reader's locale."""
    found = REPORTS.get(name) or abort(404)
    if form not in (*FORMATS, PRINTED):
        abort(404)
    with region_rows(signed_in()) as connection:
        livemode = chosen_livemode(connection)
        customers = _customers(connection) if form == PRINTED else {}
    region = wired().region
    locale = reader_locale()
    with published() as build:
        if build is None:
            abort(404)
        result = _ask(found, build, livemode=livemode)
        if form == PRINTED:
            content = report_page(build.connection, result, region.legal_home, customers, locale)
        else:
            content = render(result, form, locale)
    answer = Response(content, content_type=MEDIA[form])
    file = f"{region.code}-{name}-{result.asked.since}-{result.asked.until}.{form}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return answer


def _customers(connection: Connection) -> dict[str, Customer]:
    return {merchant_id: Customer(name) for merchant_id, name in connection.execute(_NAMES).tuples()}


def _ask(found: Report, build: Build, *, livemode: bool) -> Result:
    until = _day("until") or build.business_date
    since = _day("since") or until.replace(day=1)
    names = {column.name for column in found.columns}
    where = {name: value for name, value in request.args.items() if name in names}
    if since > until or any(len(value) > VALUE_LENGTH_MAX for value in where.values()):
        abort(404)
    try:
        return run(found, build.connection, build.number, Asked(since, until, livemode, where))
    except UsageError:
        abort(404)


def _day(name: str) -> date | None:
    value = request.args.get(name)
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        abort(404)


def _query(asked: Asked) -> dict[str, str]:
    mode = "live" if asked.livemode else "test"
    return {"since": asked.since.isoformat(), "until": asked.until.isoformat(), "mode": mode, **asked.where}


def _leads_to(result: Result, row: dict[str, Any]) -> str | None:
    """The address of the lines under a row's figures."""
    drill = result.report.drill
    if drill is None or any(row[key] is None for key in drill.keys):
        return None
    query = {key: value for key, value in _query(result.asked).items() if key in {"since", "until", "mode"}}
    query |= {key: str(row[key]) for key in drill.keys}
    values: dict[str, Any] = {"name": drill.report, **query}
    return url_for("finance.report", **values)


def _leads(column: Column) -> bool:
    return column.kind in _FIGURES and column.name != "batch_number"
