"""The simulated PSP's application, wired here and nowhere else."""

from typing import Any

from flask import Flask, Response, request
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout

from web.sandbox.bank import routes as bank
from web.sandbox.captures import routes as captures
from web.sandbox.cards import routes as cards
from web.sandbox.cards import saved_routes as saved
from web.sandbox.cards import token_routes as tokens
from web.sandbox.cards.domain import TEST_CARDS
from web.sandbox.control import faults
from web.sandbox.control import routes as control
from web.sandbox.database import Database
from web.sandbox.disputes import routes as disputes
from web.sandbox.edge import auth, context, pages, problems
from web.sandbox.payer_pages import method_routes as method_pages
from web.sandbox.payer_pages import routes as payer_pages
from web.sandbox.payments import routes as payments
from web.sandbox.rates import routes as rates
from web.sandbox.refunds import routes as refunds
from web.sandbox.settings import Settings
from web.sandbox.settlement import routes as settlement

BODY_BYTES_MAX = 64 * 1024


def create_app(settings: Settings | None = None, database: Database | None = None) -> Flask:
    """The WSGI application; settings come from the environment unless given. Opens no connection yet."""
    chosen = settings or Settings.from_environment()
    app = Flask("web.sandbox", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.json.sort_keys = False  # type: ignore[attr-defined]
    context.bind(app.extensions, chosen, database or Database(chosen.database_url))
    problems.register(app)
    app.before_request(_misbehave)
    app.after_request(pages.harden)
    api = (payments, captures, refunds, disputes, settlement, bank, rates, tokens, saved)
    for module in (*api, cards, payer_pages, method_pages, control):
        app.register_blueprint(module.blueprint)
    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/", view_func=index)
    return app


def healthz() -> tuple[dict[str, Any], int]:
    """200 only when the database answers."""
    try:
        with context.database().transaction() as connection:
            connection.execute("SELECT 1")
    except (DatabaseError, PoolTimeout):
        return {"status": "unavailable"}, 503
    return {"status": "ok", "accounts": list(context.settings().accounts)}, 200


def index() -> Response:
    """What this is, and which cards it knows."""
    settings = context.settings()
    return pages.page(settings, "index.html", accounts=settings.accounts.values(), cards=TEST_CARDS.values())


def _misbehave() -> None:
    if request.path.startswith("/v1/"):
        faults.obey(auth.account().name)
