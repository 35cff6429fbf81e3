"""A renewal's period in an open transaction, charged on a saved method by the product's own steps, as a worker does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast
from unittest.mock import Mock

from sqlalchemy import text

from regions.ids import new_id
from tests.support.news import Ground
from tests.support.told import NOT_FOUND_AFTER, NOW, PRICE, News, told
from web.checkout import repository as sessions
from web.db.scope import Scope
from web.gateways.domain import Answer, Card, Fact, Saved
from web.gateways.sandbox.adapter import CAPABILITIES
from web.payments import repository as payments
from web.payments.service import apply_outcome
from web.renewals import charging, service
from web.renewals.charging import Charged
from web.renewals.models import DuePeriod
from web.renewals.schemas import CreateRenewal
from web.saved import service as saved
from web.saved.models import Agreement

Stand = Callable[[Ground], list[News]]
_SUBJECT = text("INSERT INTO data_subjects (id, merchant_id) VALUES (:id, :merchant_id)")
_METHOD = text("SELECT id FROM saved_methods WHERE attempt_id = :attempt_id")


@dataclass(frozen=True)
class Period:
    """The first period of a renewal of one period or more, due an hour ago."""

    ground: Ground
    renewal_id: str

    @classmethod
    def opened(cls, ground: Ground, **terms: Any) -> "Period":
        """A payer has saved a card, and agreed to be charged on it."""
        scope = replace(ground.scope, now=NOW - timedelta(hours=1))
        method_id = _saved_method(ground)
        wanted = CreateRenewal(
            amount_minor=PRICE.amount_minor, currency="EUR", reference="SUB-1", payment_method_id=method_id, **terms
        )
        renewal = service.create(scope, wanted)
        service.open_next(scope, renewal)
        return cls(ground, renewal.id)

    def charged(self) -> str:
        """What is due is charged: the id of the attempt that is on its way."""
        scope: Scope = replace(self.ground.scope, now=NOW - timedelta(hours=1))
        gateway = Mock(account="MeridianEU", capabilities=CAPABILITIES)
        gateway.name = "sandbox"
        due = DuePeriod(self.renewal_id, 1, scope.merchant_id, False, "sandbox")
        sent = charging.intend(scope, due, {"sandbox": gateway}, cast("Any", None), "https://pay.eu.example")
        assert isinstance(sent, Charged), sent
        return sent.order.attempt_id


def _saved_method(ground: Ground) -> str:
    attempt_id = ground.sent(ground.link())
    payment = payments.lock_payment(ground.scope, ground.payment_of(attempt_id))
    assert payment is not None
    subject_id = new_id("subject", "eu")
    ground.scope.connection.execute(_SUBJECT, {"id": subject_id, "merchant_id": ground.scope.merchant_id})
    sealed = {"subject": subject_id, "retention_class": "payer_contact", "ciphertext": "AA=="}
    sessions.keep_payer(ground.scope, payment.session_id, cast("Any", sealed))
    agreed = Agreement("card", "stored_credential", "words", None, None)
    saved.consent(ground.scope, attempt_id, subject_id, "sandbox", agreed, "en-IE")
    card = Card("visa", "4242", "fp_1")
    answer = Answer(Fact.CAPTURED, "psp_saved", moved=PRICE, card=card, saved=Saved("card_1", subject_id, card))
    apply_outcome(ground.scope, attempt_id, answer, NOT_FOUND_AFTER)
    return str(ground.scope.connection.execute(_METHOD, {"attempt_id": attempt_id}).scalar_one())


def renewed(*facts: tuple[Fact, str | None], **terms: Any) -> Stand:
    """A period's charge that was sent, and what is told of it."""

    def stand(ground: Ground) -> list[News]:
        attempt_id = Period.opened(ground, **terms).charged()
        return [told(attempt_id, fact, code) for fact, code in facts]

    return stand


def renewed_at_the_second_try(ground: Ground) -> list[News]:
    """The first charge was declined for now; then the second is on its way, and the first is told of again."""
    period = Period.opened(ground)
    first = period.charged()
    told(first, Fact.DECLINED, "insufficient_funds")(ground.scope)
    second = period.charged()
    return [told(first, Fact.PENDING), told(first, Fact.DECLINED, "insufficient_funds"), told(second, Fact.PENDING),
            told(second, Fact.CAPTURED)]  # fmt: skip


def renewed_by_both_tries(ground: Ground) -> list[News]:
    """The second has paid, and the first has taken the money after all: that goes back."""
    period = Period.opened(ground)
    first = period.charged()
    told(first, Fact.DECLINED, "insufficient_funds")(ground.scope)
    told(period.charged(), Fact.CAPTURED)(ground.scope)
    return [told(first, Fact.PENDING), told(first, Fact.DECLINED, "insufficient_funds"), told(first, Fact.CAPTURED)]


RENEWALS: dict[str, Stand] = {
    "renewal that is charged": renewed((Fact.PENDING, None), (Fact.UNKNOWN, None), (Fact.CAPTURED, None)),
    "renewal's last period that is charged": renewed(
        (Fact.PENDING, None), (Fact.CAPTURED, None), (Fact.UNKNOWN, None), periods_max=1
    ),
    "renewal declined for now": renewed(
        (Fact.PENDING, None), (Fact.DECLINED, "insufficient_funds"), (Fact.UNKNOWN, None)
    ),
    "renewal declined for good": renewed(
        (Fact.PENDING, None), (Fact.DECLINED, "mandate_invalid"), (Fact.UNKNOWN, None)
    ),
    "renewal declined for now, and charged after all": renewed(
        (Fact.PENDING, None), (Fact.DECLINED, "insufficient_funds"), (Fact.CAPTURED, None)
    ),
    "renewal declined for good, and charged after all": renewed(
        (Fact.PENDING, None), (Fact.DECLINED, "mandate_invalid"), (Fact.CAPTURED, None)
    ),
    "renewal charged at the second try": renewed_at_the_second_try,
    "renewal charged by both tries": renewed_by_both_tries,
}
