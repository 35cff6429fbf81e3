"""GET /v1/settlement_reports and the files themselves."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from flask import Blueprint, Response

from web.sandbox.database import Conn
from web.sandbox.edge import auth, context
from web.sandbox.edge.problems import NotFoundError
from web.sandbox.settings import Account
from web.sandbox.settlement import service

blueprint = Blueprint("settlement", __name__, url_prefix="/v1/settlement_reports")


@blueprint.get("")
def list_reports() -> dict[str, Any]:
    """The account's reports, oldest first."""
    account = auth.account()
    with context.database().transaction() as connection:
        return {"data": service.reports(connection, account, context.settings().base_url)}


@blueprint.get("/<day>.csv")
def show_report(day: str) -> Response:
    """The report of one business day, in the columns of Adyen's settlement detail report."""
    return _report(day, service.report, "settlement_detail_report")


@blueprint.get("/<day>.stripe.csv")
def show_stripe_report(day: str) -> Response:
    """The same in the columns of Stripe's itemised payout reconciliation report."""
    banking_days = context.settings().payout_days
    return _report(day, partial(service.stripe_report, banking_days=banking_days), "payout_reconciliation")


def _report(day: str, make: Callable[[Conn, Account, date], str | None], name: str) -> Response:
    account = auth.account()
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise NotFoundError("settlement report") from None
    with context.database().transaction() as connection:
        text = make(connection, account, wanted)
    if text is None:
        raise NotFoundError("settlement report")
    response = Response(text, content_type="text/csv; charset=utf-8")
    response.set_etag(service.sha256(text))
    response.headers["Content-Disposition"] = f'attachment; filename="{name}_{account.name}_{day}.csv"'
    return response
