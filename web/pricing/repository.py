from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, RowMapping, text

from regions.money import Money
from web.db.scope import Scope
from web.pricing.domain import Plan
from web.pricing.volume import Month, Priced


class Metered(NamedTuple):
    """A capture that waits to be priced by its month's volume."""

    source_id: str
    payment_id: str
    method: str
    amount_minor: int
    captured_at: datetime
    plan_valid_from: datetime


class MonthToPrice(NamedTuple):
    """A merchant's month, in one mode and currency, as it stands."""

    merchant_id: str
    livemode: bool
    currency: str
    month: date
    volume_minor: Mapping[str, int]
    fee_minor: int

    @property
    def standing(self) -> Month:
        """Its volume and its fees."""
        return Month(self.volume_minor, self.fee_minor)


class PlanInForce(NamedTuple):
    """A price list, and from when it is in force."""

    valid_from: datetime
    plan: Plan


_PLAN = "SELECT valid_from, name, terms FROM pricing_plans WHERE merchant_id = :merchant_id"
_IN_FORCE = text(f"{_PLAN} AND valid_from <= :now ORDER BY valid_from DESC LIMIT 1")
_BY_START = text(f"{_PLAN} AND valid_from = :valid_from")
# The month's row is there once; the rows of captures are each their own. So captures wait for each other at most
# while a month's first one commits.
_METER = text("""
WITH month AS (
  INSERT INTO monthly_volumes (merchant_id, livemode, currency, month)
  SELECT :merchant_id, :livemode, :currency, :month
   WHERE NOT EXISTS (SELECT FROM monthly_volumes WHERE merchant_id = :merchant_id AND livemode = :livemode
                        AND currency = :currency AND month = :month)
  ON CONFLICT DO NOTHING
)
INSERT INTO metered_captures (source_id, merchant_id, livemode, currency, month, payment_id, method, amount_minor,
                              captured_at, plan_valid_from)
VALUES (:source_id, :merchant_id, :livemode, :currency, :month, :payment_id, :method, :amount_minor, :now, :valid_from)
""")
_LOCK_MONTH = text("""
SELECT merchant_id, livemode, currency, month, volume_minor, fee_minor FROM monthly_volumes
 WHERE price_after <= :now AND (merchant_id, livemode, currency, month) IN (
         SELECT merchant_id, livemode, currency, month FROM metered_captures WHERE priced_at IS NULL)
 LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
""")
_IS_MONTH = "merchant_id = :merchant_id AND livemode = :livemode AND currency = :currency AND month = :month"
_TO_PRICE = text(f"""
SELECT source_id, payment_id, method, amount_minor, captured_at, plan_valid_from FROM metered_captures
 WHERE {_IS_MONTH} AND priced_at IS NULL ORDER BY captured_at, source_id LIMIT :limit
""")  # noqa: S608 - a constant
_SAVE_PRICED = text("""
UPDATE metered_captures SET priced_at = :now, before_minor = :before_minor, fee_minor = :fee_minor,
       tax_minor = :tax_minor, adjusted_minor = :adjusted_minor
 WHERE source_id = :source_id AND priced_at IS NULL
""")
_SAVE_MONTH = text(f"""
UPDATE monthly_volumes SET volume_minor = CAST(:volume_minor AS jsonb), fee_minor = :fee_minor WHERE {_IS_MONTH}
""")  # noqa: S608
_WAIT = text(f"UPDATE monthly_volumes SET price_after = :until WHERE {_IS_MONTH}")  # noqa: S608


def plan_in_force(scope: Scope) -> PlanInForce | None:
    """The merchant's price list, if there is one."""
    values = {"merchant_id": scope.merchant_id, "now": scope.now}
    row = scope.connection.execute(_IN_FORCE, values).mappings().one_or_none()
    return None if row is None else _plan(row)


def plan_from(scope: Scope, valid_from: datetime) -> Plan:
    """The price list that was put in force at that moment."""
    values = {"merchant_id": scope.merchant_id, "valid_from": valid_from}
    return _plan(scope.connection.execute(_BY_START, values).mappings().one()).plan


def meter(
    scope: Scope, payment_id: str, source_id: str, method: str, captured: Money, plan_valid_from: datetime
) -> None:
    """Note a capture that is to be priced by its month's volume."""
    values = {
        "source_id": source_id,
        "merchant_id": scope.merchant_id,
        "livemode": scope.livemode,
        "currency": captured.currency,
        "month": scope.region.accounting_date(scope.now).replace(day=1),
        "payment_id": payment_id,
        "method": method,
        "amount_minor": captured.amount_minor,
        "now": scope.now,
        "valid_from": plan_valid_from,
    }
    scope.connection.execute(_METER, values)


def lock_month(connection: Connection, now: datetime) -> MonthToPrice | None:
    """Lock one month with captures that are not priced; others skip it. The worker's role sees every merchant's."""
    row = connection.execute(_LOCK_MONTH, {"now": now}).mappings().one_or_none()
    return None if row is None else MonthToPrice(**row)


def to_price(scope: Scope, month: MonthToPrice, limit: int) -> list[Metered]:
    """The month's captures that are not priced, in their order. Its row is locked."""
    values = {**_names(month), "limit": limit}
    return [Metered(**row) for row in scope.connection.execute(_TO_PRICE, values).mappings()]


def save(scope: Scope, month: MonthToPrice, then: Month, priced: Iterable[tuple[Metered, Priced]]) -> None:
    """Write what captures cost, and where their month then stands."""
    rows: list[dict[str, Any]] = [
        {
            "source_id": capture.source_id,
            "before_minor": one.before_minor,
            "fee_minor": one.fee.fee_minor,
            "tax_minor": one.fee.tax_minor + one.adjustment.tax_minor,
            "adjusted_minor": one.adjustment.fee_minor,
            "now": scope.now,
        }
        for capture, one in priced
    ]
    scope.connection.execute(_SAVE_PRICED, rows)
    volumes = orjson.dumps(dict(then.volume_minor)).decode()
    scope.connection.execute(_SAVE_MONTH, {**_names(month), "volume_minor": volumes, "fee_minor": then.fee_minor})


def wait(connection: Connection, month: MonthToPrice, until: datetime) -> None:
    """Leave a month alone for a while."""
    connection.execute(_WAIT, {**_names(month), "until": until})


def _names(month: MonthToPrice) -> dict[str, Any]:
    return {
        "merchant_id": month.merchant_id,
        "livemode": month.livemode,
        "currency": month.currency,
        "month": month.month,
    }


def _plan(row: RowMapping) -> PlanInForce:
    return PlanInForce(row["valid_from"], Plan.read({**row["terms"], "name": row["name"]}))
