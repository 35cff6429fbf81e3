from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from warehouse.reports.paper import Customer

INVOICES_SHOWN = 200
_MONTHS = text("SELECT DISTINCT month FROM invoices WHERE livemode = :livemode ORDER BY month DESC")
_LIST = text("""
SELECT i.number, i.kind, i.credits, i.month, i.currency, i.total_minor, i.issued_on, i.document,
       (SELECT c.number FROM invoices AS c WHERE c.credits = i.number) AS credited_by, count(*) OVER () AS found
  FROM invoices AS i
 WHERE i.livemode = :livemode AND (CAST(:month AS date) IS NULL OR i.month = :month)
   AND (CAST(:merchant AS text) IS NULL OR i.merchant_id = :merchant)
 ORDER BY i.year DESC, i.sequence DESC LIMIT :rows
""")
_ONE = text("""
SELECT i.number, i.kind, i.credits, i.merchant_id, i.livemode, i.reason, i.month, i.issued_on, i.issued_at, i.issued_by,
       i.document, (SELECT c.number FROM invoices AS c WHERE c.credits = i.number) AS credited_by
  FROM invoices AS i WHERE i.number = :number
""")
_CUSTOMER = text("SELECT name, country, branding, logo FROM merchants WHERE id = :id")


def months(connection: Connection, *, livemode: bool) -> list[date]:
    """Months of which something was issued, by their first days, the newest first."""
    return list(connection.execute(_MONTHS, {"livemode": livemode}).scalars())


def invoices(
    connection: Connection, *, livemode: bool, month: date | None, merchant: str | None
) -> list[dict[str, Any]]:
    """Invoices and credit notes, the newest number first; `found` is how many there are, shown or not."""
    values = {"livemode": livemode, "month": month, "merchant": merchant, "rows": INVOICES_SHOWN}
    return [dict(row) for row in connection.execute(_LIST, values).mappings()]


def invoice(connection: Connection, number: str) -> dict[str, Any] | None:
    """One invoice or credit note."""
    row = connection.execute(_ONE, {"number": number}).mappings().one_or_none()
    return None if row is None else dict(row)


def document_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What it says, as files show it."""
    names = ("number", "kind", "credits", "merchant_id", "livemode", "reason")
    said = {**row["document"], **{name: row[name] for name in names}}
    return said | {"issued_on": row["issued_on"].isoformat(), "object": "invoice", "problem": None}


def customer(connection: Connection, merchant_id: str) -> Customer | None:
    """The merchant as papers address it, and how its pages look."""
    row = connection.execute(_CUSTOMER, {"id": merchant_id}).one_or_none()
    if row is None:
        return None
    return Customer(row.name, row.country, row.branding, None if row.logo is None else bytes(row.logo))
