from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from regions.events import timestamp
from regions.ids import new_id
from regions.money import Money
from web import ledger, outbox
from web.db.scope import Scope
from web.fees import repository as fees
from web.fees.models import FeeRecord
from web.pricing import repository
from web.pricing.domain import Fee, Plan, entries
from web.pricing.repository import Metered, MonthToPrice
from web.pricing.volume import Priced, percent, price

_AT_ONCE = 100  # captures of a month that one transaction prices


def charge(scope: Scope, payment_id: str, source_id: str, method: str, captured: Money) -> None:
    """Take the platform's fee and its tax for captured money, by the merchant's plan in force; without one, nothing.

    `source_id` is the payment, or the capture, that is charged for. What is refunded later does not bring the fee back.
    What the month's volume decides about is noted here and priced by `price_month`: nobody who pays waits for a sum.
    """
    found = repository.plan_in_force(scope)
    rule = found and found.plan.rule_for(method, captured.currency)
    if found is None or rule is None:
        return
    if rule.volume is not None:
        repository.meter(scope, payment_id, source_id, method, captured, found.valid_from)
        return
    fee = found.plan.fee(method, captured)
    if fee is None:
        return
    ledger.post_journal(scope, ledger.Journal("platform_fee", source_id, scope.now, entries(fee, captured.currency)))
    record = _record(scope, payment_id, source_id, found.plan.name, fee, captured)
    fees.insert(scope, [replace(record, method=method)])
    data = {
        "fee_id": record.id,
        "payment_id": payment_id,
        "source_id": source_id,
        "pricing_plan": found.plan.name,
        "method": method,
        "fee_minor": fee.fee_minor,
        "tax_minor": fee.tax_minor,
        "currency": captured.currency,
        "charged_at": timestamp(scope.now),
    }
    outbox.append(scope, "fee.charged", payment_id, data)


def price_month(scope: Scope, month: MonthToPrice) -> None:
    """Charge for a month's captures that are not priced, one after the other; the month's row is locked."""
    standing, plans, priced = month.standing, dict[Any, Plan](), list[tuple[Metered, Priced]]()
    for capture in repository.to_price(scope, month, _AT_ONCE):
        plan = plans.get(capture.plan_valid_from) or repository.plan_from(scope, capture.plan_valid_from)
        plans[capture.plan_valid_from] = plan
        one, standing = price(plan, month.currency, standing, capture.method, capture.amount_minor)
        priced.append((capture, one))
    repository.save(scope, month, standing, priced)
    records = [record for each in priced for record in _records(scope, month, plans, *each)]
    fees.insert(scope, records)
    ids = {(record.source_id, record.kind): record.id for record in records}
    ledger.post_journals(scope, [journal for each in priced for journal in _journals(month.currency, *each)])
    for capture, one in sorted(priced, key=lambda each: each[0].payment_id):  # an event locks its payment's sequence
        _tell(scope, month, plans[capture.plan_valid_from].name, capture, one, ids)


def _journals(currency: str, capture: Metered, one: Priced) -> list[ledger.Journal]:
    kinds = (("platform_fee_adjustment", one.adjustment), ("platform_fee", one.fee))
    return [
        ledger.Journal(kind, capture.source_id, capture.captured_at, entries(fee, currency))
        for kind, fee in kinds
        if fee.fee_minor
    ]


def _records(
    scope: Scope, month: MonthToPrice, plans: Mapping[Any, Plan], capture: Metered, one: Priced
) -> Iterator[FeeRecord]:
    named = (capture.payment_id, capture.source_id, plans[capture.plan_valid_from].name)
    if one.rerated is not None and one.adjustment.fee_minor:
        volume = Money(one.rerated.volume_minor, month.currency)
        changed = _record(scope, *named, one.adjustment, volume)
        yield replace(changed, kind="adjustment", month=month.month, volume_before_minor=one.before_minor)
    if one.fee.fee_minor:
        charged = _record(scope, *named, one.fee, Money(capture.amount_minor, month.currency))
        yield replace(charged, method=capture.method, month=month.month, volume_before_minor=one.before_minor)


def _record(scope: Scope, payment_id: str, source_id: str, plan: str, fee: Fee, on: Money) -> FeeRecord:
    return FeeRecord(
        id=new_id("fee", scope.region.code),
        livemode=scope.livemode,
        kind="charge",
        payment_id=payment_id,
        source_id=source_id,
        pricing_plan=plan,
        method=None,
        amount_minor=on.amount_minor,
        fee_minor=fee.fee_minor,
        tax_minor=fee.tax_minor,
        currency=on.currency,
        month=None,
        volume_before_minor=None,
        lines=[{name: value for name, value in asdict(line).items() if value is not None} for line in fee.lines],
        created_at=scope.now,
    )


def _tell(
    scope: Scope,
    month: MonthToPrice,
    plan: str,
    capture: Metered,
    one: Priced,
    ids: Mapping[tuple[str, str], str],
) -> None:
    shared: dict[str, Any] = {
        "payment_id": capture.payment_id,
        "source_id": capture.source_id,
        "pricing_plan": plan,
        "month": f"{month.month:%Y-%m}",
        "currency": month.currency,
    }
    if one.rerated is not None and one.adjustment.fee_minor:
        changed = {
            "fee_id": ids[capture.source_id, "adjustment"],
            "volume_minor": one.rerated.volume_minor,
            "from_percent": percent(one.rerated.from_millionths),
            "to_percent": percent(one.rerated.to_millionths),
            "adjusted_at": timestamp(scope.now),
        }
        outbox.append(scope, "fee.adjusted", capture.payment_id, {**shared, **changed, **_sums(one.adjustment)})
    if not one.fee.fee_minor:
        return
    explained = {
        "fee_id": ids[capture.source_id, "charge"],
        "method": capture.method,
        "charged_at": timestamp(scope.now),
        "volume_before_minor": one.before_minor,
        "flat_minor": one.flat_minor,
        "tiers": [
            {
                "tier": part.tier,
                "percent": percent(part.millionths),
                "from_minor": part.from_minor,
                "to_minor": part.to_minor,
                "fee_minor": part.amount_minor,
            }
            for part in one.slices
        ],
    }
    outbox.append(scope, "fee.charged", capture.payment_id, {**shared, **explained, **_sums(one.fee)})


def _sums(fee: Fee) -> dict[str, int]:
    return {"fee_minor": fee.fee_minor, "tax_minor": fee.tax_minor}
