"""Issued invoices and credit notes on the console: listed, opened, as files, and taken back."""

from datetime import date
from typing import Any

from flask import Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from warehouse.reports.invoice_files import FORMATS, invoice_file
from web.console import session
from web.console.commands import CommandRefusedError
from web.console.deciding import check_form, command
from web.console.finance import invoice_rows
from web.console.finance.files import MEDIA, reader_locale
from web.console.finance.forms import PURPOSE, form_values
from web.console.finance.routes import blueprint
from web.console.mode import chosen_livemode
from web.console.reading import region_rows
from web.console.view import page
from web.console.wiring import wired

CONFLICT = 409
MERCHANT_LENGTH_MAX = 60


@blueprint.get("/finance/invoices")
def invoices() -> Response:
    """What was issued, by month and merchant."""
    merchant = request.args.get("merchant", "").strip() or None
    if merchant is not None and len(merchant) > MERCHANT_LENGTH_MAX:
        abort(404)
    with region_rows(session.signed_in()) as connection:
        livemode = chosen_livemode(connection)
        months = invoice_rows.months(connection, livemode=livemode)
        month = _month(months)
        rows = invoice_rows.invoices(connection, livemode=livemode, month=month, merchant=merchant)
    return page("invoices", livemode=livemode, rows=rows, months=months, month=month, merchant=merchant or "")


@blueprint.get("/finance/invoices/<number>")
def invoice(number: str) -> Response:
    """One invoice or credit note: its lines, taxes and sums."""
    row = _found(number)
    return page("invoice", row=row, said=row["document"], formats=FORMATS, form=form_values())


@blueprint.get("/finance/invoices/<number>/<form>")
def invoice_document(number: str, form: str) -> Response:
    """The same as a file, in the reader's locale."""
    if form not in FORMATS:
        abort(404)
    with region_rows(session.signed_in()) as connection:
        row = invoice_rows.invoice(connection, number) or abort(404)
        customer = invoice_rows.customer(connection, row["merchant_id"])
    known, issuer = ({row["merchant_id"]: customer} if customer else {}), wired().region.legal_home
    said = invoice_rows.document_of(row)
    content = invoice_file([said], row["month"], form, reader_locale(), issuer, known)
    answer = Response(content, content_type=MEDIA[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{number}.{form}"'
    return answer


@blueprint.post("/finance/invoices/<number>/credit")
def take_back(number: str) -> AnyResponse:
    """Take an invoice back, whole, by a credit note."""
    check_form(PURPOSE)
    row = _found(number)
    body = {name: row[name] for name in ("merchant_id", "livemode", "number")}
    body |= {"reason": request.form.get("reason", "").strip(), "actor": session.signed_in().id}
    try:
        note = command("invoices/credit-notes", body)
    except CommandRefusedError as error:
        return page("message", CONFLICT, heading="This was not done", message=str(error))
    return redirect(url_for("finance.invoice", number=note["number"]), 303)


def _found(number: str) -> dict[str, Any]:
    with region_rows(session.signed_in()) as connection:
        return invoice_rows.invoice(connection, number) or abort(404)


def _month(months: list[date]) -> date | None:
    """The month asked for, all of them if none; a month of which nothing was issued is no page."""
    asked = request.args.get("month") or None
    if asked is None:
        return None
    return next((month for month in months if f"{month:%Y-%m}" == asked), None) or abort(404)
