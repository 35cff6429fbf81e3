from collections.abc import Mapping

from regions.events import timestamp
from regions.features import feature_set
from regions.money import Money
from regions.vault import Vault
from web import outbox
from web.db.scope import Scope
from web.risk import repository
from web.risk.domain import device_signal, judge
from web.risk.models import Assessment, Signals
from web.risk.rules import load_rules

BLOCKED = "blocked_by_risk"  # a blocked payment's failure code


def signals_of(
    vault: Vault, email_token: str, headers: Mapping[str, str], address: str | None, card_fingerprint: str | None
) -> Signals:
    """A payer's tokens. The address and what the browser says of itself are kept nowhere else, and never plain."""
    return Signals(
        email_token=email_token,
        device_token=vault.token("device", device_signal(headers)),
        ip_token=None if address is None else vault.token("ip", address),
        card_token=card_fingerprint,
    )


def assess(scope: Scope, signals: Signals, link_id: str, amount: Money) -> Assessment:
    """Read the features and judge them. Writes nothing: `record` does, once the payment has an id."""
    reading = repository.read_features(scope, signals, link_id, amount.currency)
    return Assessment(link_id, amount, signals, reading, judge(load_rules().rules, reading.features))


def record(scope: Scope, payment_id: str, assessment: Assessment, attempt_number: int = 1) -> None:
    """Tell what was read and decided, in the transaction that acts on it."""
    reading, verdict = assessment.reading, assessment.verdict
    data = {
        "payment_id": payment_id,
        "link_id": assessment.link_id,
        "attempt_number": attempt_number,
        "amount_minor": assessment.amount.amount_minor,
        "currency": assessment.amount.currency,
        **assessment.signals.known(),
        "as_of": timestamp(reading.as_of),
        "snapshot": reading.snapshot,
        "features": {name: value for name, value in reading.features.items() if value is not None},
        "features_version": feature_set().version,
        "decision": verdict.decision.value,
        "reasons": list(verdict.reasons),
        "rules_version": load_rules().version,
    }
    outbox.append(scope, "risk.assessed", payment_id, data)
