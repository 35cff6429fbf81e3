"""What a payer meets while no gateway answers: a page that says so, keeps what was entered, and resumes by itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, request

from regions.money_text import show_money
from web.checkout.models import Session, Visit
from web.checkout.pages import page
from web.checkout.schemas import PayForm
from web.checkout.service import CARD
from web.db.scope import Scope
from web.gateways.protocol import Gateway
from web.routing import service as routing
from web.saved import repository as saved_methods
from web.wiring import wired

RESUME_SECONDS = 10
_KEPT_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True)
class CardFields:
    """Whose card fields a payer's page shows, and whether it asks to save the card."""

    gateway: Gateway
    asks_to_save: bool


def fields_shown(scope: Scope, session: Session) -> CardFields | None:
    """Those of the gateway that would be asked first; None while none can be."""
    gateways = wired().gateways
    chosen = routing.choose(scope, gateways, CARD, session.amount).gateways
    if not chosen:
        return None
    gateway = gateways[chosen[0]]
    return CardFields(gateway, gateway.capabilities.has_saved_methods and saved_methods.is_offered(scope))


def outage_page(token: str, seen: Visit, form: PayForm | None = None) -> Response:
    """Nothing was sent and nothing charged. A submitted form waits in the page, not with us."""
    locale = seen.session.locale
    response = page(
        "outage",
        503,
        locale,
        token=token,
        link=seen.link,
        merchant=seen.merchant,
        amount=show_money(seen.session.amount, locale),
        kept=_kept(request.form) if form is not None else {},
        resume_seconds=RESUME_SECONDS,
        refresh_seconds=RESUME_SECONDS if form is None else None,
    )
    response.headers["Retry-After"] = str(RESUME_SECONDS)
    return response


def is_out(scope: Scope, gateway: str) -> bool:
    """Whether a gateway is left alone right now, so that an answer may take longer than usual."""
    return gateway in routing.shut_gateways(scope.connection, scope.now)


def _kept(form: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in form.items() if len(value) <= _KEPT_LENGTH_MAX}
