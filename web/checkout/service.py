from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from regions.errors import MeridianError
from regions.ids import new_code, new_id
from regions.vault import SealedJson
from web.checkout import repository, sessions
from web.checkout.domain import LinkState, link_state
from web.checkout.mandates import agreement
from web.checkout.models import Merchant, NewSession, Session, Visit
from web.checkout.problems import LinkBusy, LinkEnded, LinkPaid, SessionEnded
from web.checkout.sending import Sending, first_choice
from web.db.scope import Scope
from web.db.steps import Settled
from web.gateways.domain import Answer, Authorisation, CaptureMode, Fact, Method, ThreeDs
from web.gateways.protocol import Gateway
from web.http.payer import hash_token
from web.links import repository as links
from web.links.methods import payable_by
from web.links.models import Link
from web.links.pricing import Price
from web.payments import repository as payments
from web.payments import service as payment_service
from web.payments import slots
from web.payments.domain import OPEN_ATTEMPTS, OPEN_PAYMENTS, PaymentStatus
from web.payments.models import Attempt, Payment
from web.payments.service import NewPayment
from web.risk import service as risk
from web.risk.domain import Decision
from web.risk.models import Signals
from web.routing.domain import as_json
from web.saved import repository as saved_methods
from web.saved import service as saved

PAYER_CLASS = "payment_record"  # the retention class of what a payer tells us for a payment


class NoGatewayError(MeridianError):
    """No gateway can be asked right now: nothing was written, and nothing charged."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted form, its personal data sealed."""

    payer: SealedJson
    payment_token: str = field(repr=False)
    token_of: str | None  # the gateway that made it
    method: str
    is_saved: bool  # the payer agrees to be charged again
    return_url: str = field(repr=False)
    signals: Signals


def landing(scope: Scope, link_id: str) -> tuple[Link, Merchant]:
    """What a link's page shows. Raises LinkPaid or LinkEnded when there is nothing to pay. Writes nothing."""
    link, merchant = _link(scope, link_id), repository.merchant(scope)
    _must_be_open(scope, link, merchant)
    return link, merchant


def open_session(scope: Scope, link: Link, visit: NewSession, price: Price) -> None:
    """Open a session, at the price that the payer chose, on a link that `landing` has found open."""
    sessions.start(scope, link, visit, price)


def new_session(
    scope: Scope, locale: str, device: str, channel: str | None, campaign: str | None
) -> tuple[str, NewSession]:
    """A session's secret token and what is stored of it."""
    token = new_code()
    new = NewSession(new_id("session", scope.region.code), hash_token(token), locale, device, channel, campaign)
    return token, new


def visit(scope: Scope, session_id: str) -> Visit:
    """A session with what its pages show."""
    session = repository.get(scope, session_id)
    return Visit(session, _link(scope, session.link_id), repository.merchant(scope))


def current_payment(scope: Scope, session_id: str) -> tuple[Payment, Attempt] | None:
    """The payment that a session's pages speak of, with its attempt."""
    payment = payments.latest_payment_of_session(scope, session_id)
    return None if payment is None else (payment, payments.latest_attempt(scope, payment.id))


def must_be_payable(scope: Scope, seen: Visit) -> None:
    """Raise the notice that says why a session cannot pay now, if it cannot."""
    _must_be_open(scope, seen.link, seen.merchant, seen.session)
    if seen.session.status != "open" or seen.session.expires_at <= scope.now:
        raise SessionEnded(locale=seen.session.locale, back_to=seen.link.code)


def submit(
    scope: Scope, session_id: str, form: Submission, gateways: Mapping[str, Gateway]
) -> Sending | Settled[Payment | None]:
    """Write the intent to pay: a payment, its attempt, and a slot of a limited link under the link's lock.

    A form that comes twice finds the first one's payment and writes nothing. Raises a PayerNotice when it cannot be
    paid, NoGatewayError when no gateway can be asked right now.
    """
    link_id = repository.get(scope, session_id).link_id
    link = links.get(scope, link_id)
    if link is not None and link.capacity is not None:
        link = links.get(scope, link_id, is_locked=True)
    if link is None:
        raise LinkEnded
    session = repository.get(scope, session_id, is_locked=True)
    shown = payments.latest_payment_of_session(scope, session_id)
    if shown is not None and shown.status in OPEN_PAYMENTS | {PaymentStatus.SUCCEEDED, PaymentStatus.SUPERSEDED}:
        return Settled(shown)
    if form.payment_token and repository.has_used_token(scope, session_id, form.payment_token):
        return Settled(shown)
    merchant = repository.merchant(scope)
    must_be_payable(scope, Visit(session, link, merchant))
    if form.method not in payable_by(scope.region, link.terms, session.currency):
        raise NoGatewayError("This link is not paid in that way.")
    chosen, routed = first_choice(scope, gateways, form.method, session.amount, form.token_of)
    if chosen is None:
        raise NoGatewayError("No gateway lets a payment through.")
    gateway = gateways[chosen]
    token = form.payment_token if chosen == form.token_of else ""  # it is good at the gateway that made it, only
    assessment = risk.assess(scope, form.signals, link.id, session.amount)
    decision = assessment.verdict.decision
    created = payment_service.create_payment(
        scope,
        NewPayment(
            link.id,
            session.id,
            session.amount,
            chosen,
            gateway.account,
            token,
            form.payer,
            method=form.method,
            is_sent=decision is not Decision.BLOCK,
            routing=as_json(routed, chosen, 1, ()),
            capture=CaptureMode(link.terms.get("capture_method", CaptureMode.AUTOMATIC)),
            authorisation_lifetime=gateway.capabilities.authorisation_lifetime,
        ),
    )
    if link.capacity is not None and not slots.hold(scope, link.id, created.payment_id, link.capacity):
        raise LinkBusy(merchant=merchant.name, locale=session.locale, back_to=link.code)
    repository.keep_payer(scope, session.id, form.payer)
    sessions.submit(scope, session.id, link.id, created.payment_id, form.method)
    risk.record(scope, created.payment_id, assessment)
    if decision is Decision.BLOCK:
        refusal = Answer(Fact.DECLINED, code=risk.BLOCKED)
        return Settled(payment_service.apply_outcome(scope, created.attempt_id, refusal, gateway.not_found_after))
    three_ds = ThreeDs(scope.region.sca.three_ds(session.amount))
    order = Authorisation(
        attempt_id=created.attempt_id,
        amount=session.amount,
        payment_token=token or None,
        return_url=form.return_url,
        capture=CaptureMode(link.terms.get("capture_method", CaptureMode.AUTOMATIC)),
        three_ds=ThreeDs.FORCE if decision is Decision.CHALLENGE else three_ds,
        method=Method(form.method),
    )
    agreed = agreement(scope.region, merchant, session, form.method) if form.is_saved else None
    if agreed and gateway.capabilities.has_saved_methods and saved_methods.is_offered(scope):
        subject_id = form.payer["subject"]
        saved.consent(scope, created.attempt_id, subject_id, chosen, agreed, session.locale)
        order = replace(order, save_for=subject_id)
    return Sending(order, chosen, token_of=form.token_of, token=form.payment_token or None)


def to_resolve(scope: Scope, session_id: str) -> Attempt | Settled[Payment | None]:
    """The attempt whose outcome a returning payer waits for, if there is one."""
    current = current_payment(scope, session_id)
    if current is None or current[1].status not in OPEN_ATTEMPTS:
        return Settled(None)
    return current[1]


def _link(scope: Scope, link_id: str) -> Link:
    link = links.get(scope, link_id)
    if link is None:
        raise LinkEnded
    return link


def _must_be_open(scope: Scope, link: Link, merchant: Merchant, session: Session | None = None) -> None:
    locale = session.locale if session else None
    match link_state(link.status, link.expires_at, scope.now):
        case LinkState.PAID:
            raise LinkPaid(merchant=merchant.name, locale=locale)
        case LinkState.ENDED:
            raise LinkEnded(merchant=merchant.name, locale=locale)
        case LinkState.OPEN:
            return
