"""The cookie edge: who is asking, and that a form came from our own page."""

from flask import g, request
from werkzeug.wrappers import Response

from web.clock import utc_now
from web.console.accounts import domain, service
from web.console.accounts.models import Account
from web.console.wiring import wired

SIGN_IN = "sign-in"
SIGN_OUT = "sign-out"


def session_cookie() -> str:
    """The cookie of a session. It names the region, because cookies do not keep ports of one host apart."""
    return f"__Host-meridian-console-{wired().region.code}"


def form_cookie() -> str:
    """The cookie that the sign-in form is bound to, before there is a session."""
    return f"__Host-meridian-sign-in-{wired().region.code}"


def current_account() -> Account | None:
    """Who is signed in."""
    if "account" not in g:
        token = request.cookies.get(session_cookie())
        g.account = service.account_of(wired().database, token, utc_now()) if token else None
    account: Account | None = g.account
    return account


def signed_in() -> Account:
    """Who is signed in; the guard has seen to it that somebody is."""
    account = current_account()
    if account is None:
        raise RuntimeError("a page was reached without a session")
    return account


def set_cookie(response: Response, name: str, value: str, *, same_site: str = "Lax") -> None:
    """A cookie of this browser session, which scripts and other sites cannot have."""
    response.set_cookie(name, value, secure=True, httponly=True, samesite=same_site, path="/")


def drop_cookie(response: Response, name: str) -> None:
    """Remove one."""
    response.delete_cookie(name, secure=True, httponly=True, samesite="Lax", path="/")


def is_own_form(cookie: str, purpose: str) -> bool:
    """Whether the posted form carries the token that belongs to the browser's cookie."""
    token = request.cookies.get(cookie)
    return token is not None and domain.is_csrf_token(request.form.get("csrf", ""), token, purpose)
