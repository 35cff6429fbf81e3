from dataclasses import fields
from datetime import date
from typing import Any

import orjson
from sqlalchemy import text

from web.db.scope import Scope
from web.invoices.models import Invoice

_COLUMNS = ", ".join(f"i.{field.name}" for field in fields(Invoice))
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_OF_MONTH = text(f"""
SELECT {_COLUMNS} FROM invoices i
 WHERE i.merchant_id = :merchant_id AND i.livemode = :livemode AND i.month = :month AND i.currency = :currency
 ORDER BY i.revision DESC, i.kind LIMIT 1
""")  # noqa: S608 - our own columns; of a revision, the credit note comes first
_BY_NUMBER = text(f"""
SELECT {_COLUMNS} FROM invoices i
 WHERE i.merchant_id = :merchant_id AND i.livemode = :livemode AND :number IN (i.number, i.credits) ORDER BY i.sequence
""")  # noqa: S608 - our own columns
_INSERT = text(f"""
INSERT INTO invoices AS i (merchant_id, livemode, issuer, year, kind, credits, month, currency, revision, total_minor,
                           document, reason, issued_by, issued_on, issued_at)
VALUES (:merchant_id, :livemode, :issuer, :year, :kind, :credits, :month, :currency, :revision, :total_minor,
        CAST(:document AS jsonb), :reason, :issued_by, :issued_on, :issued_at)
RETURNING {_COLUMNS}
""")  # noqa: S608 - our own columns; the database draws the number
_CUSTOMER = text("SELECT name, country FROM merchants WHERE id = :id")


def lock_month(scope: Scope, month: date, currency: str) -> None:
    """Wait for whoever issues or takes back an invoice of the same month."""
    name = f"invoice/{scope.merchant_id}/{scope.livemode}/{month}/{currency}"
    scope.connection.execute(_LOCK, {"name": name})


def newest_of_month(scope: Scope, month: date, currency: str) -> Invoice | None:
    """The month's last document: an invoice that counts, or the credit note that took it back."""
    values = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "month": month, "currency": currency}
    row = scope.connection.execute(_OF_MONTH, values).mappings().one_or_none()
    return None if row is None else Invoice(**row)


def with_its_credit_note(scope: Scope, number: str) -> list[Invoice]:
    """The document of that number and the credit note that takes it back, if there are any."""
    values = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "number": number}
    rows = scope.connection.execute(_BY_NUMBER, values).mappings()
    return sorted((Invoice(**row) for row in rows), key=lambda one: one.number != number)


def insert(scope: Scope, **values: Any) -> Invoice:
    """Issue a document under the next number of the region, the mode and the year."""
    day = scope.region.accounting_date(scope.now)
    known = {
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "issuer": scope.region.code,
        "year": day.year,
    }
    document = orjson.dumps(values.pop("document")).decode()
    known |= {"issued_on": day, "issued_at": scope.now, "document": document}
    return Invoice(**scope.connection.execute(_INSERT, known | values).mappings().one())


def customer(scope: Scope) -> dict[str, str]:
    """Whom the invoice is made out to, as it is now."""
    return dict(scope.connection.execute(_CUSTOMER, {"id": scope.merchant_id}).mappings().one())
