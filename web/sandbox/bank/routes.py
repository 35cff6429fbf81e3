"""GET /v1/bank_statements and the files themselves, in camt.053 and MT940."""

from datetime import date
from typing import Any

from flask import Blueprint, Response

from web.sandbox.bank import camt_statement, mt940_statement, service
from web.sandbox.edge import auth, context
from web.sandbox.edge.problems import NotFoundError

blueprint = Blueprint("bank", __name__, url_prefix="/v1/bank_statements")

_FORMATS = {
    "xml": (camt_statement.render, "application/xml; charset=utf-8"),
    "sta": (mt940_statement.render, "text/plain; charset=us-ascii"),
}


@blueprint.get("")
def list_statements() -> dict[str, Any]:
    """The days that have a statement, oldest first."""
    account, settings = auth.account(), context.settings()
    with context.database().transaction() as connection:
        found = service.days(connection, account, settings.payout_days)
    base = f"{settings.base_url}/v1/bank_statements"
    return {
        "data": [
            {"date": day.isoformat(), "camt053_url": f"{base}/{day}.xml", "mt940_url": f"{base}/{day}.sta"}
            for day in found
        ]
    }


@blueprint.get("/<day>.<kind>")
def show_statement(day: str, kind: str) -> Response:
    """The statements of one day, of every currency, in one file."""
    account = auth.account()
    if kind not in _FORMATS:
        raise NotFoundError("bank statement")
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise NotFoundError("bank statement") from None
    with context.database().transaction() as connection:
        found = service.statements(connection, account, wanted, context.settings().payout_days)
    if not found:
        raise NotFoundError("bank statement")
    render, content_type = _FORMATS[kind]
    response = Response(render(found), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="statement_{account.name}_{wanted}.{kind}"'
    return response
