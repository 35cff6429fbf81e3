from sqlalchemy import text

from regions.events import timestamp
from regions.money import Money
from web import ledger, outbox
from web.db.scope import Scope
from web.pricing.domain import Plan, entries

_IN_FORCE = text("""
SELECT name, terms FROM pricing_plans WHERE merchant_id = :merchant_id AND valid_from <= :now
 ORDER BY valid_from DESC LIMIT 1
""")


def charge(scope: Scope, payment_id: str, source_id: str, method: str, captured: Money) -> None:
    """Take the platform's fee and its tax for captured money, by the merchant's plan in force; without one, nothing.

    `source_id` is the payment, or the capture, that is charged for. What is refunded later does not bring the fee back.
    """
    row = scope.connection.execute(_IN_FORCE, {"merchant_id": scope.merchant_id, "now": scope.now}).one_or_none()
    if row is None:
        return
    fee = Plan.read({**row.terms, "name": row.name}).fee(method, captured)
    if fee is None:
        return
    ledger.post_journal(scope, ledger.Journal("platform_fee", source_id, scope.now, entries(fee, captured.currency)))
    data = {
        "payment_id": payment_id,
        "source_id": source_id,
        "pricing_plan": row.name,
        "method": method,
        "fee_minor": fee.fee_minor,
        "tax_minor": fee.tax_minor,
        "currency": captured.currency,
        "charged_at": timestamp(scope.now),
    }
    outbox.append(scope, "fee.charged", payment_id, data)
