import functools
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from regions.ids import new_id
from regions.money_text import show_money
from web.checkout import repository, service
from web.checkout.brand import stylesheet
from web.checkout.choice import ChoiceError, price_of
from web.checkout.csrf import csrf_token, is_csrf_token
from web.checkout.domain import CAMPAIGN, CHANNEL, clean, device_class
from web.checkout.mandates import Offered, offered
from web.checkout.models import Merchant, Visit
from web.checkout.offer import bill_lines, countries, offer_of
from web.checkout.outage import is_out, outage_page
from web.checkout.pages import (
    PROCESSING_REFRESH_SECONDS,
    afterwards,
    harden,
    origin_of,
    page,
    payer_locale,
    show_time,
)
from web.checkout.problems import FormStale, PayerNotice
from web.checkout.schemas import PayForm
from web.checkout.sending import Sender
from web.checkout.service import PAYER_CLASS, NoGatewayError, Submission
from web.checkout.texts import texts_for
from web.db.scope import Scope
from web.db.steps import gateway_call
from web.http.addresses import payer_address
from web.http.answers import request_id
from web.http.payer import link_scope, session_scope
from web.http.problems import NotFoundError, Problem
from web.links.methods import CARD, DEBIT
from web.links.models import Link
from web.merchants.accounts_repository import logo as merchant_logo
from web.payments import orders
from web.payments.domain import PaymentStatus
from web.payments.models import Attempt, Payment
from web.payments.service import apply_outcome, inquiry_about
from web.risk.service import signals_of
from web.wiring import wired

log = logging.getLogger(__name__)

blueprint = Blueprint("checkout", __name__)
blueprint.after_request(harden)


@blueprint.get("/l/<code>")
def landing(code: str) -> Response:
    """A link's page. It never writes: chat apps preview links."""
    with link_scope(code) as (scope, link_id):
        link, merchant = service.landing(scope, link_id)
    return _landing_page(link, merchant, request.args, {}, {}, 200)


@blueprint.get("/l/<code>/logo.png")
def logo(code: str) -> Response:
    """The logo of whose link it is."""
    with link_scope(code) as (scope, _):
        found = merchant_logo(scope)
    if found is None:
        raise NotFoundError("There is no logo.")
    return Response(found, mimetype="image/png", headers={"Cache-Control": "public, max-age=300"})


@blueprint.post("/l/<code>/sessions")
def open_session(code: str) -> AnyResponse:
    """Freeze what the payer chose in a checkout session and go to its page."""
    with link_scope(code) as (scope, link_id):
        link, merchant = service.landing(scope, link_id)
        try:
            price = price_of(link, request.form, payer_locale(link))
        except ChoiceError as error:
            return _landing_page(link, merchant, request.form, request.form, error.faults, 422)
        token, new = service.new_session(
            scope,
            payer_locale(link),
            device_class(request.user_agent.string),
            clean(CHANNEL, request.form.get("channel")) or link.channel,
            clean(CAMPAIGN, request.form.get("campaign")) or link.campaign,
        )
        service.open_session(scope, link, new, price)
    return redirect(url_for("checkout.show", token=token), 303)


@blueprint.get("/brand/<colour>-<font>.css")
def brand(colour: str, font: str) -> Response:
    """A merchant's looks."""
    css = stylesheet(colour, font)
    if css is None:
        raise NotFoundError("There is no such stylesheet.")
    return Response(css, mimetype="text/css", headers={"Cache-Control": "public, max-age=86400"})


@blueprint.get("/c/<token>")
def show(token: str) -> AnyResponse:
    """The checkout page, unless a payment is under way or done: then its state."""
    with session_scope(token) as (scope, session_id):
        current = service.current_payment(scope, session_id)
        if current is not None and current[0].status is not PaymentStatus.FAILED:
            return redirect(url_for("checkout.returned", token=token), 303)
        seen = service.visit(scope, session_id)
        service.must_be_payable(scope, seen)
        shown = offered(scope, wired().gateways, seen)
    if not shown:
        return outage_page(token, seen)
    return _checkout_page(token, seen, PayForm.read({}, seen.link.terms), 200, shown)


@blueprint.post("/c/<token>/pay")
def pay(token: str) -> AnyResponse:
    """Submit a payment: intent committed, gateway asked, outcome committed; then on to the bank or to the result."""
    with session_scope(token) as (scope, session_id):
        seen = service.visit(scope, session_id)
    form = PayForm.read(request.form, seen.link.terms)
    if not is_csrf_token(wired().settings.key_pepper, token, form.csrf):
        raise FormStale(locale=seen.session.locale, back_to=seen.link.code)
    if form.faults():
        with session_scope(token) as (scope, _):
            shown = offered(scope, wired().gateways, seen)
        return _checkout_page(token, seen, form, 422, shown) if shown else outage_page(token, seen)
    gateways, submission = wired().gateways, _seal(token, form)
    try:
        payment = Sender(gateways, wired().vault, lambda: _scope_of(token)).run(
            lambda scope: service.submit(scope, seen.session.id, submission, gateways)
        )
    except NoGatewayError:
        return outage_page(token, seen, form)
    if payment is not None and payment.status is PaymentStatus.REQUIRES_ACTION:
        with session_scope(token) as (scope, session_id):
            current = service.current_payment(scope, session_id)
        if current is not None and current[1].action_url:
            return redirect(current[1].action_url, 303)
    return redirect(url_for("checkout.returned", token=token), 303)


@blueprint.route("/c/<token>/return", methods=["GET", "POST"])
def returned(token: str) -> AnyResponse:
    """Where a payer comes back to. What the request says is trusted for nothing: the gateway is asked."""
    with session_scope(token) as (scope, session_id):
        waiting = service.to_resolve(scope, session_id)
    if isinstance(waiting, Attempt):
        gateway, vault = wired().gateways[waiting.gateway], wired().vault
        scope_of = functools.partial(_scope_of, token)
        gateway_call(
            scope_of,
            intend=lambda scope: service.to_resolve(scope, session_id),
            call=lambda attempt: gateway.resolve(
                inquiry_about(attempt, request.values.to_dict(), orders.kept(scope_of, vault, gateway, attempt.id))
            ),
            conclude=lambda scope, attempt, answer: apply_outcome(scope, attempt.id, answer, gateway.not_found_after),
        )
    with session_scope(token) as (scope, session_id):
        seen = service.visit(scope, session_id)
        current = service.current_payment(scope, session_id)
        is_slow = current is not None and is_out(scope, current[1].gateway)
    if current is None:
        return redirect(url_for("checkout.show", token=token), 303)
    return _result_page(token, seen, *current, is_slow=is_slow)


@blueprint.errorhandler(PayerNotice)
def notice(error: PayerNotice) -> Response:
    """Say why this cannot be paid, in the payer's language."""
    locale = error.locale or payer_locale()
    texts = texts_for(locale)
    return page(
        "notice",
        error.status,
        locale,
        heading=texts(error.heading),
        detail=texts(f"{error.heading}_detail", merchant=error.merchant),
        back_url=url_for("checkout.landing", code=error.back_to) if error.back_to else None,
    )


@blueprint.errorhandler(Problem)
def problem(error: Problem) -> Response:
    """A problem as a page: a payer has no use for JSON."""
    return _failure_page(error.status)


@blueprint.errorhandler(HTTPException)
def refused(error: HTTPException) -> Response:
    """What the web framework refuses: a form that is too large, for one."""
    return _failure_page(error.code or 500)


@blueprint.errorhandler(Exception)
def unexpected(error: Exception) -> Response:
    """Whatever else goes wrong. What a payer has submitted is committed and will be resolved."""
    log.error("unexpected error on a payer's page", exc_info=error, extra={"request_id": request_id()})
    return _failure_page(503)


def _failure_page(status: int) -> Response:
    locale = payer_locale()
    texts = texts_for(locale)
    key = "not_found" if status == 404 else "problem_generic"  # noqa: PLR2004 - Not Found
    return page("notice", status, locale, heading=texts(key), detail=texts(f"{key}_detail"), request_id=request_id())


def _checkout_page(token: str, seen: Visit, form: PayForm, status: int, shown: list[Offered]) -> Response:
    wiring, locale = wired(), seen.session.locale
    texts = texts_for(locale)
    card = next((wiring.gateways[each.gateway] for each in shown if each.method == CARD), None)
    chosen = form.method if form.method in {each.method for each in shown} else shown[0].method
    errors = {name: texts(key) for name, key in form.faults().items()} if status != 200 else {}  # noqa: PLR2004 - OK
    return page(
        "checkout",
        status,
        locale,
        token=token,
        csrf=csrf_token(wiring.settings.key_pepper, token),
        link=seen.link,
        merchant=seen.merchant,
        amount=show_money(seen.session.amount, locale),
        lines=bill_lines(seen.session.terms.get("lines") or (), seen.session.currency, locale),
        countries=countries(locale) if "address" in seen.link.terms.get("collect", ()) else (),
        legal=wiring.region.texts.get(locale),
        form=form,
        errors=errors,
        problem=errors.get("payment_token"),
        gateway=card.name if card else "",
        client=card.client_side(origin_of(wiring.settings.api_base_url)) if card else None,
        methods=shown,
        chosen=chosen,
    )


def _result_page(token: str, seen: Visit, payment: Payment, attempt: Attempt, *, is_slow: bool) -> AnyResponse:
    locale = seen.session.locale
    values = {
        "token": token,
        "link": seen.link,
        "merchant": seen.merchant,
        "payment": payment,
        "amount": show_money(seen.session.amount, locale),
    }
    match payment.status:
        case PaymentStatus.SUCCEEDED:
            paid_on = show_time(payment.succeeded_at, locale) if payment.succeeded_at else ""
            return page("succeeded", 200, locale, **values, paid_on=paid_on, **afterwards(seen.link, payment))
        case PaymentStatus.FAILED:
            return page("failed", 200, locale, **values, again_url=url_for("checkout.show", token=token))
        case PaymentStatus.AUTHORISED:
            return page("authorised", 200, locale, **values, **afterwards(seen.link, payment))
        case PaymentStatus.VOIDED | PaymentStatus.SUPERSEDED as ended:
            return page(ended.value, 200, locale, **values)
        case PaymentStatus.REQUIRES_ACTION if attempt.action_url:
            return page("action", 200, locale, **values, action_url=attempt.action_url)
        case _:
            values |= {"is_slow": is_slow, "is_debit": attempt.method == DEBIT}
            return page("processing", 200, locale, **values, refresh_seconds=PROCESSING_REFRESH_SECONDS)


def _landing_page(
    link: Link,
    merchant: Merchant,
    attribution: Mapping[str, str],
    form: Mapping[str, str],
    faults: Mapping[str, str],
    status: int,
) -> Response:
    locale = payer_locale(link)
    texts = texts_for(locale)
    offer = offer_of(link, form, locale)
    errors = {name: texts(key, **offer.bounds) if key == "fix_bounds" else texts(key) for name, key in faults.items()}
    return page(
        "landing",
        status,
        locale,
        link=link,
        merchant=merchant,
        amount=offer.amount,
        offer=offer,
        errors=errors,
        channel=clean(CHANNEL, attribution.get("channel")),
        campaign=clean(CAMPAIGN, attribution.get("campaign")),
    )


def _seal(token: str, form: PayForm) -> Submission:
    """Seal what the payer told us under the data subject behind the e-mail address, outside of any transaction."""
    wiring = wired()
    token_of = form.gateway if form.gateway in wiring.gateways else wiring.region.gateways_for(CARD)[0].name
    email_token = wiring.vault.token("email", form.email)
    with session_scope(token) as (scope, _):
        subject = repository.subject_of(scope, new_id("subject", wiring.region.code), email_token)
    payer = wiring.vault.seal_json(subject, PAYER_CLASS, form.personal())
    back = wiring.settings.api_base_url + url_for("checkout.returned", token=token)
    card = wiring.gateways[token_of].describe_token(form.payment_token) if form.payment_token else None
    address = payer_address(
        request.remote_addr, request.headers.get("X-Forwarded-For", ""), wiring.settings.trusted_proxies
    )
    signals = signals_of(wiring.vault, email_token, dict(request.headers), address, card.fingerprint if card else None)
    return Submission(
        payer,
        form.payment_token,
        token_of if form.payment_token else None,
        form.method,
        form.is_saved,
        back,
        signals,
    )


@contextmanager
def _scope_of(token: str) -> Iterator[Scope]:
    with session_scope(token) as (scope, _):
        yield scope
