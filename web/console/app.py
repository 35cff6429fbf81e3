"""The composition root of the console: one region, nothing without a session; what people decide is commanded."""

import logging
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from flask import Blueprint, Flask, Response, redirect, request, url_for
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.wrappers import Response as AnyResponse

from regions.region import Region
from warehouse.builds import Warehouse
from web.console import session, view
from web.console.access import audience_of, may_open
from web.console.accounts import service as accounts_service
from web.console.accounts.routes import blueprint as accounts
from web.console.commands import commands_to
from web.console.compliance.routes import blueprint as compliance
from web.console.finance import deciding, invoices, reports
from web.console.finance.routes import blueprint as finance
from web.console.keys.routes import blueprint as keys
from web.console.merchant.routes import blueprint as merchant
from web.console.settings import FORM_BYTES_MAX, Settings
from web.console.webhooks.routes import blueprint as webhooks
from web.console.wiring import Wiring, install, wired
from web.db.engine import Database

PAGES_OF_FINANCE = (deciding, invoices, reports)  # they add their pages to finance's blueprint
BLUEPRINTS: tuple[Blueprint, ...] = (accounts, merchant, webhooks, keys, finance, compliance)
SERVER_ERROR, UNAVAILABLE = 500, 503
log = logging.getLogger("web.console")


def create_app(region: Region, settings: Settings) -> Flask:
    """The WSGI app of one region's console. Call it after fork: it owns a connection pool."""
    app = Flask("web.console", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = FORM_BYTES_MAX
    name = f"meridian-console-{region.code}"
    database = Database(settings.database_url, application_name=name, pool_size=settings.pool_size)
    folder = Path(unquote(urlsplit(settings.warehouse_uri).path))
    commands = commands_to(settings.api_base_url, settings.service_key) if settings.service_key else None
    install(app, Wiring(region, settings, database, Warehouse(region, folder), commands))
    accounts_service.prepare()
    app.jinja_env.filters.update(view.FILTERS)
    app.jinja_env.globals["share"] = view.show_share
    app.add_url_rule("/healthz", view_func=healthz)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for endpoint in app.view_functions:
        audience_of(endpoint)  # a page that is nobody's stops the process
    app.before_request(_guard)
    app.after_request(view.harden)
    app.after_request(_audit)
    app.register_error_handler(HTTPException, _of_framework)
    for error in (OperationalError, InterfaceError, PoolTimeoutError, psycopg.OperationalError):
        app.register_error_handler(error, _of_database)
    app.register_error_handler(Exception, _unexpected)
    return app


def healthz() -> Response:
    """200 only when the database answers; else the error handler says 503."""
    wiring = wired()
    wiring.database.ping()
    return Response(f'{{"status":"ok","region":"{wiring.region.code}"}}', mimetype="application/json")


def _guard() -> AnyResponse | None:
    """Nothing is shown without a session, not even that an address does not exist; nothing to another audience."""
    if "\x00" in request.path:
        return redirect(url_for("accounts.sign_in"), 303)
    audience = audience_of(request.endpoint) if request.endpoint else None
    if request.endpoint and audience is None:
        return None
    account = session.current_account()
    if account is None:
        return redirect(url_for("accounts.sign_in"), 303)
    if audience is not None and not may_open(account, audience):
        raise Forbidden
    return None


def _audit(response: Response) -> Response:
    """One line per page that somebody opened or was refused: who, what, when. No secret and no person's name."""
    if request.endpoint in {"static", "healthz"}:
        return response
    account = session.current_account() if response.status_code != UNAVAILABLE else None
    log.info(
        "console page",
        extra={
            "user_id": account.id if account else None,
            "role": account.role.value if account else None,
            "method": request.method,
            "endpoint": request.endpoint,
            "path": request.path,
            "status": response.status_code,
        },
    )
    return response


_MESSAGES = {
    403: ("This page is not for your role", "Ask an owner of your company if you need it."),
    404: ("There is nothing here", "The address does not lead to anything that you may see."),
}


def _of_framework(error: HTTPException) -> Response:
    heading, message = _MESSAGES.get(error.code or SERVER_ERROR, (error.name, error.description or ""))
    response = view.page("message", error.code or SERVER_ERROR, heading=heading, message=message)
    response.headers.extend((name, value) for name, value in error.get_headers() if name in {"Allow", "Retry-After"})
    return response


def _of_database(error: Exception) -> Response:
    log.error("the database refused or did not answer", exc_info=error)
    return Response("The console cannot reach its database. Try again in a minute.", UNAVAILABLE, mimetype="text/plain")


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return Response("Something went wrong here. It was not your fault.", SERVER_ERROR, mimetype="text/plain")
