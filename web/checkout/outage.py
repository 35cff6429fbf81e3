"""What a payer meets while no gateway answers: a page that says so, keeps what was entered, and resumes by itself."""

from collections.abc import Mapping

from flask import Response, request

from regions.money_text import show_money
from web.checkout.models import Visit
from web.checkout.pages import page
from web.checkout.schemas import PayForm
from web.db.scope import Scope
from web.routing import service as routing

RESUME_SECONDS = 10
_KEPT_LENGTH_MAX = 255


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
