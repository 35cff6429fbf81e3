import logging

from flask import Blueprint, Response, abort, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.clock import utc_now
from web.console import session
from web.console.accounts import domain, service
from web.console.view import first_page, page
from web.console.wiring import wired
from web.http.addresses import payer_address

blueprint = Blueprint("accounts", __name__)
log = logging.getLogger(__name__)

BAD_REQUEST, UNAUTHORIZED, TOO_MANY = 400, 401, 429
CODE_LENGTH_MAX = 16
STALE_FORM = "This form is too old. Please try again."


@blueprint.get("/")
def home() -> AnyResponse:
    """Send everybody to the first page that is theirs."""
    return redirect(first_page(session.signed_in()), 303)


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> AnyResponse:
    """The form, and what it posts."""
    if request.method != "POST":
        account = session.current_account()
        return redirect(first_page(account), 303) if account else _form()
    if not session.is_own_form(session.form_cookie(), session.SIGN_IN):
        return _form(STALE_FORM, BAD_REQUEST)
    email, password = request.form.get("email", ""), request.form.get("password", "")
    if len(email) > domain.EMAIL_LENGTH_MAX or len(password) > domain.PASSWORD_LENGTH_MAX or "\x00" in email:
        return _form(service.REFUSED, UNAUTHORIZED)
    wiring, old_token = wired(), request.cookies.get(session.session_cookie())
    try:
        token, account = service.sign_in(
            wiring.database, wiring.settings.key, email=email, password=password, code=_code(), address=_address(),
            old_token=old_token, now=utc_now(),
        )  # fmt: skip
    except service.SignInRefusedError as error:
        log.warning("console sign-in refused", extra=_whose(email))
        return _form(str(error), UNAUTHORIZED)
    except service.TooManyFailuresError as error:
        log.warning("console sign-in blocked: too many failures", extra=_whose(email))
        blocked = _form(str(error), TOO_MANY)
        blocked.headers["Retry-After"] = str(int(domain.FAILURE_WINDOW.total_seconds()))
        return blocked
    g.account = account
    log.info("console sign-in", extra={"user_id": account.id, "role": account.role.value})
    response = redirect(first_page(account), 303)
    session.set_cookie(response, session.session_cookie(), token)
    session.drop_cookie(response, session.form_cookie())
    return response


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    """End the session, in the database first."""
    account = session.signed_in()
    if not session.is_own_form(session.session_cookie(), session.SIGN_OUT):
        abort(BAD_REQUEST, STALE_FORM)
    service.sign_out(wired().database, request.cookies[session.session_cookie()])
    log.info("console sign-out", extra={"user_id": account.id, "role": account.role.value})
    response = redirect(url_for("accounts.sign_in"), 303)
    session.drop_cookie(response, session.session_cookie())
    return response


def _form(error: str = "", status: int = 200) -> Response:
    """The sign-in form, bound to a cookie of its own that is new each time."""
    token = domain.new_token()
    csrf = domain.csrf_token(token, session.SIGN_IN)
    response = page("sign_in", status, error=error, csrf=csrf, email=request.form.get("email", "")[:254])
    session.set_cookie(response, session.form_cookie(), token, same_site="Strict")
    return response


def _code() -> str:
    """The one-time code; apps show it in two halves."""
    return request.form.get("code", "").replace(" ", "")[:CODE_LENGTH_MAX]


def _address() -> str:
    """From where somebody signs in; what proxies say counts only if they are ours."""
    forwarded, proxies = request.headers.get("X-Forwarded-For", ""), wired().settings.trusted_proxies
    return payer_address(request.remote_addr, forwarded, proxies) or ""


def _whose(email: str) -> dict[str, str]:
    """Names a failed sign-in in the log without telling whose it is: the keyed hashes that it is counted under."""
    keys = domain.failure_keys(wired().settings.key, domain.normal_email(email), _address())
    return {kind: value.hex()[:16] for kind, value in keys.items()}
