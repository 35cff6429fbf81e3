"""Merchants' invoices: a month's use, from the published build, at each merchant's plan. Every file shows them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from regions.billing import totals
from regions.errors import ConfigurationError
from regions.pricing import MINIMUM, Pricing, Usage, invoice
from warehouse.reports.model import Asked, Column, Kind, Report, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb

    from regions.pricing import InvoiceLine, Plan

_USAGE = """
WITH paid AS (
  SELECT merchant_id, currency, count(*) AS payment_count, sum(captured_minor)::bigint AS volume_minor
    FROM fct_payments
   WHERE livemode = $livemode AND status = 'succeeded' AND succeeded_on BETWEEN $since AND $until GROUP BY 1, 2
), refunded AS (
  SELECT merchant_id, currency, count(*) AS refund_count FROM fct_refunds
   WHERE livemode = $livemode AND status = 'succeeded' AND succeeded_on BETWEEN $since AND $until GROUP BY 1, 2
)
SELECT merchant_id, currency, coalesce(payment_count, 0), coalesce(volume_minor, 0), coalesce(refund_count, 0)
  FROM paid FULL OUTER JOIN refunded USING (merchant_id, currency) ORDER BY 1, 2
"""
# What each line was counted from: the statement above, in words that lead back to the build's rows.
_BASIS: Final = {
    "volume": "sum of fct_payments.captured_minor, succeeded",
    "payments": "count of fct_payments, succeeded",
    "refunds": "count of fct_refunds, succeeded",
    MINIMUM: "the plan's minimum_minor less the lines above",
}
_TEXTS = (("number", "Number"), ("kind", "Kind"), ("merchant_id", "Merchant"), ("customer", "Customer"))
COLUMNS: Final = (
    *(Column(name, title, Kind.ID if name == "merchant_id" else Kind.TEXT) for name, title in _TEXTS),
    Column("month", "Month", Kind.TEXT), Column("plan", "Plan", Kind.TEXT), Column("what", "What", Kind.TEXT),
    Column("currency", "Currency", Kind.TEXT), Column("piece_count", "Pieces", Kind.COUNT),
    Column("volume_minor", "Volume", Kind.MONEY), Column("price_minor", "Price", Kind.MONEY),
    Column("rate_ppm", "Rate", Kind.SHARE), Column("net_minor", "Net", Kind.MONEY),
    Column("tax_rate_ppm", "Tax rate", Kind.SHARE), Column("tax_minor", "Tax", Kind.MONEY),
    Column("total_minor", "Total", Kind.MONEY), Column("basis", "Computed from", Kind.TEXT),
)  # fmt: skip
REPORT: Final = Report("invoices", "Invoices", "What merchants pay us for a month's use, by contract.", COLUMNS, "")


def month_of(day: date) -> tuple[date, date]:
    """The first and last day of a day's month."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def invoices(
    build: duckdb.DuckDBPyConnection,
    month: date,
    pricing: Pricing,
    *,
    livemode: bool,
    merchant_id: str | None = None,
    build_number: int | None = None,
) -> list[dict[str, Any]]:
    """An invoice for each merchant and currency: lines, sums and tax; `problem` where a plan has no prices."""
    since, until = month_of(month)
    rows = build.execute(_USAGE, {"livemode": livemode, "since": since, "until": until}).fetchall()
    found = []
    for merchant, currency, payments, volume, refunds in rows:
        if merchant_id not in {None, merchant}:
            continue
        plan = pricing.plan_of(merchant)
        one: dict[str, Any] = {
            "number": None,
            "kind": "draft",
            "merchant_id": merchant,
            "livemode": livemode,
            "currency": currency,
            "month": f"{since:%Y-%m}",
            "since": since.isoformat(),
            "until": until.isoformat(),
            "plan": plan.name,
            "build": build_number,
        }
        found.append(one | _priced(plan, currency, Usage(payments, volume, refunds)))
    return found


def _priced(plan: Plan, currency: str, usage: Usage) -> dict[str, Any]:
    try:
        lines = [asdict(line) | {"basis": _basis(line)} for line in invoice(plan, currency, usage)]
    except ConfigurationError as error:
        nothing = dict.fromkeys(("amount_minor", "tax_minor", "total_minor"))
        return {"lines": [], "taxes": [], **nothing, "problem": str(error)}
    return {"lines": lines, **totals(lines), "problem": None}


def _basis(line: InvoiceLine) -> str:
    return _BASIS["volume" if line.unit == "volume" else line.what]


def as_result(found: Sequence[Mapping[str, Any]], month: date, build: int, names: Mapping[str, str]) -> Result:
    """Invoices as rows for files: one for each line, each rate of tax, and the total."""
    since, until = month_of(month)
    rows = [
        tuple(row.get(column.name) for column in COLUMNS)
        for one in found
        for row in _rows(one, names.get(one["merchant_id"], ""))
    ]
    livemode = any(one["livemode"] for one in found)
    return Result(REPORT, Asked(since, until, livemode), build, rows)


def _rows(one: Mapping[str, Any], customer: str) -> Iterable[dict[str, Any]]:
    head = {name: one[name] for name in ("number", "kind", "merchant_id", "month", "plan", "currency")}
    head["customer"] = customer
    period = f"{one['since']} to {one['until']}, build {one['build']}"
    for line in one["lines"]:
        yield head | line_cells(line) | {"basis": f"{line['basis']}; {period}"}
    for tax in one["taxes"]:
        if tax["tax_millionths"]:
            cells = {"what": "tax", "tax_rate_ppm": tax["tax_millionths"], "tax_minor": tax["tax_minor"]}
            yield head | cells | {"basis": "the rate, of the net of its lines"}
    basis = one["problem"] or "net and tax of the rows above"
    yield head | {"what": "total", "total_minor": one["total_minor"], "basis": basis}


def line_cells(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line's figures by column."""
    names = ("volume_minor", "rate_ppm") if line["unit"] == "volume" else ("piece_count", "price_minor")
    figures = dict(zip(names, (line["quantity"], line["price"]), strict=True))
    return figures | {
        "what": line["what"],
        "net_minor": line["amount_minor"],
        "tax_rate_ppm": line["tax_millionths"],
    }
