from datetime import date
from typing import Any

from regions.billing import differences
from web.db.scope import Scope
from web.http.bodies import field_error
from web.http.problems import ConflictError, NotFoundError
from web.invoices import repository
from web.invoices.domain import says_the_same, taken_back
from web.invoices.models import Invoice
from web.invoices.schemas import IssueInvoice


def issue(scope: Scope, body: IssueInvoice, person: str) -> tuple[Invoice, bool]:
    """Issue a month's invoice; whether that is new. The same figures again are the invoice that there is."""
    asked = body.figures()
    for name in differences(asked):
        raise field_error(name, "does not follow from the lines")
    if date.fromisoformat(asked["until"]) >= scope.region.accounting_date(scope.now):
        raise ConflictError(f"{body.month} is not over in {scope.region.timezone}: it has no invoice yet.")
    month = date.fromisoformat(asked["since"])
    repository.lock_month(scope, month, body.currency)
    newest = repository.newest_of_month(scope, month, body.currency)
    if newest is not None and newest.kind == "invoice":
        if not says_the_same(newest.document, asked):
            raise ConflictError(f"{newest.number} was issued with other figures: take it back by a credit note first.")
        return newest, False
    parties = {"issuer": scope.region.legal_home, "customer": repository.customer(scope)}
    made = repository.insert(
        scope, kind="invoice", credits=None, month=month, currency=body.currency, document=asked | parties,
        revision=newest.revision + 1 if newest else 1, total_minor=body.total_minor, reason=None, issued_by=person,
    )  # fmt: skip
    return made, True


def take_back(scope: Scope, number: str, reason: str, person: str) -> tuple[Invoice, bool]:
    """Issue the credit note that takes an invoice back, whole; whether that is new."""
    first = _invoice(repository.with_its_credit_note(scope, number))
    repository.lock_month(scope, first.month, first.currency)
    found = repository.with_its_credit_note(scope, number)
    if len(found) > 1:
        return found[1], False
    document: dict[str, Any] = taken_back(first.document)
    made = repository.insert(
        scope, kind="credit_note", credits=number, month=first.month, currency=first.currency, document=document,
        revision=first.revision, total_minor=-first.total_minor, reason=reason, issued_by=person,
    )  # fmt: skip
    return made, True


def _invoice(found: list[Invoice]) -> Invoice:
    if not found:
        raise NotFoundError("The merchant has no invoice of that number.")
    if found[0].kind != "invoice":
        raise ConflictError(f"{found[0].number} is a credit note: it is not taken back, a new invoice is issued.")
    return found[0]
