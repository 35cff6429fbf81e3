"""One step of a period that nobody has paid: the intent to charge it, a notice, a link, or a wait."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from regions.ids import new_code, new_id
from regions.money import Money
from regions.vault import SealedJson, Vault
from web.checkout import repository as visits
from web.checkout import sessions
from web.checkout.models import NewSession
from web.db.scope import Scope
from web.db.steps import Settled
from web.gateways.domain import Authorisation, Method, Saved, ThreeDs
from web.gateways.protocol import Gateway
from web.http.payer import hash_token
from web.links import service as links
from web.links.models import Link
from web.links.pricing import Price
from web.payments import orders, slots
from web.payments import service as payments
from web.payments.models import Payment
from web.payments.service import NewPayment
from web.renewals import events, presenting, repository, service
from web.renewals.domain import Asked, Charge, Mandated, Notify, PeriodStatus, Present, Wait, next_step
from web.renewals.models import Chargeable, DuePeriod, Period, Renewal

CHANNEL = "renewal"
BUSY = timedelta(minutes=1)  # the payer is paying the link by hand


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge that is written and about to be sent."""

    gateway: str
    order: Authorisation = field(repr=False)


def intend(
    scope: Scope, due: DuePeriod, gateways: Mapping[str, Gateway], vault: Vault, base_url: str
) -> Charged | Settled[Payment | None]:
    """Write the next step of a claimed period, under the locks of its link, itself and its renewal, in that order."""
    seen = repository.get_period(scope, due.renewal_id, due.number)
    if seen.link_id is not None:
        links.get(scope, seen.link_id, is_locked=True)
    period = repository.get_period(scope, due.renewal_id, due.number, is_locked=True)
    renewal = service.get(scope, due.renewal_id, is_locked=True)
    if period.status is not PeriodStatus.DUE:
        return Settled(None)
    if renewal.status == "ended":
        repository.move(scope, period, PeriodStatus.CANCELLED, finished_at=scope.now)
        return Settled(None)
    method = repository.chargeable(scope, renewal.payment_method_id)
    if method is not None and method.gateway not in gateways:
        method = None
    match next_step(_asked(scope, renewal, period, method), scope.now):
        case Wait(until):
            repository.move(scope, period, PeriodStatus.DUE, try_after=until)
        case Notify(charge_after):
            told = repository.move(scope, period, PeriodStatus.DUE, try_after=charge_after, notified_at=scope.now)
            events.upcoming(scope, renewal, told, charge_after)
        case Present(reason):
            presenting.present(scope, renewal, period, reason)
        case Charge() if method is not None:
            return _write(scope, renewal, period, method, gateways[method.gateway], vault, base_url)
    return Settled(None)


def _asked(scope: Scope, renewal: Renewal, period: Period, method: Chargeable | None) -> Asked:
    mandate = None if method is None else scope.region.mandate_of(method.method)
    return Asked(
        amount_minor=period.amount_minor,
        due_at=period.due_at,
        is_automatic=renewal.collection == "automatic",
        has_method=method is not None,
        refused_code=renewal.refused_code,
        mandated=None if mandate is None else Mandated(timedelta(hours=mandate.notice_hours), mandate.ceiling_minor),
        notified_at=period.notified_at,
    )


def _write(
    scope: Scope, renewal: Renewal, period: Period, method: Chargeable, gateway: Gateway, vault: Vault, base_url: str
) -> Charged | Settled[Payment | None]:
    """A payment and its attempt, in a session of their own, holding the link's one slot."""
    link, held = presenting.link_of(scope, renewal, period)
    if link.status != "active":  # the merchant has ended it
        repository.move(scope, held, PeriodStatus.CANCELLED, finished_at=scope.now)
        return Settled(None)
    if not slots.has_room(scope, link.id, "", 1):
        repository.move(scope, held, PeriodStatus.DUE, try_after=scope.now + BUSY)
        return Settled(None)
    payer: SealedJson = {
        "subject": method.subject_id,
        "retention_class": method.retention_class,
        "ciphertext": method.ciphertext,
    }
    session_id = _session(scope, link, method, payer)
    amount = Money(period.amount_minor, renewal.currency)
    created = payments.create_payment(
        scope,
        NewPayment(
            link.id,
            session_id,
            amount,
            gateway.name,
            gateway.account,
            "",
            payer,
            method=method.method,
            routing={"chosen": gateway.name, "number": 1, "because": "the payer's method is saved there"},
            authorisation_lifetime=gateway.capabilities.authorisation_lifetime,
        ),
    )
    slots.hold(scope, link.id, created.payment_id, 1)
    sessions.submit(scope, session_id, link.id, created.payment_id, method.method)
    repository.move(scope, held, PeriodStatus.CHARGING, payment_id=created.payment_id)
    order = Authorisation(
        attempt_id=created.attempt_id,
        amount=amount,
        payment_token=None,
        return_url=base_url,  # nobody comes back: adapters want one all the same
        three_ds=ThreeDs.AUTO,
        method=Method(method.method),
        saved=Saved(method.gateway_saved_id, method.subject_id),
        is_payer_present=False,
    )
    orders.keep(scope, vault, gateway, order)
    return Charged(gateway.name, order)


def _session(scope: Scope, link: Link, method: Chargeable, payer: SealedJson) -> str:
    """A visit that nobody makes: its token is drawn and forgotten. It says whose payment this is."""
    session_id = new_id("session", scope.region.code)
    new = NewSession(session_id, hash_token(new_code()), method.locale, "unknown", CHANNEL, None)
    sessions.start(scope, link, new, Price(link.amount_minor or 0, link.currency))
    visits.keep_payer(scope, session_id, payer)
    return session_id
