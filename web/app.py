"""The composition root of the web service: everything is wired and every blueprint mounted here."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response

from regions.region import Region
from regions.vault import open_vault
from web.asyncapi.routes import blueprint as asyncapi
from web.bulk.routes import blueprint as bulk
from web.captures.routes import blueprint as captures
from web.checkout.routes import blueprint as checkout
from web.closes.routes import blueprint as closes
from web.db.engine import Database
from web.disputes.routes import blueprint as disputes
from web.events.routes import blueprint as events
from web.fees.routes import blueprint as fees
from web.gateways.factory import open_gateways
from web.gateways.protocol import Gateway
from web.gateways.routes import blueprint as gateway_webhooks
from web.http import handlers
from web.http.answers import encode, json_response
from web.invoices.routes import blueprint as invoices
from web.keys.commanded import blueprint as keys_commanded
from web.keys.routes import blueprint as keys
from web.links.routes import blueprint as links
from web.merchants.routes import blueprint as merchants
from web.openapi.routes import publish
from web.payments.routes import blueprint as payments
from web.payouts.routes import blueprint as payouts
from web.payouts.routes import internal as payouts_internal
from web.privacy.routes import blueprint as privacy
from web.recon.routes import blueprint as recon
from web.refunds.routes import blueprint as refunds
from web.region_config.routes import blueprint as region_config
from web.renewals.routes import blueprint as renewals
from web.routing.routes import blueprint as routing
from web.routing.watched import watch
from web.saved.routes import blueprint as saved_methods
from web.settings import Settings
from web.splits.routes import blueprint as splits
from web.webhooks.routes import blueprint as webhooks
from web.wiring import Wiring, install, wired

BLUEPRINTS: tuple[Blueprint, ...] = (
    links, bulk, payments, captures, refunds, disputes, splits, fees, events, keys, keys_commanded, merchants,
    region_config, checkout, gateway_webhooks, privacy, recon, closes, invoices, webhooks, payouts, payouts_internal,
    saved_methods, renewals, routing,
)  # fmt: skip


class App(Flask):
    """Flask without coroutines: it would ask of each function, on every request, whether it is one."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func


def create_app(region: Region, settings: Settings, gateways: Mapping[str, Gateway] | None = None) -> Flask:
    """The WSGI app of one region. Call it after fork: it owns a connection pool."""
    app = App("web", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = settings.body_bytes_max
    name = f"meridian-web-{region.code}"
    database = Database(
        settings.database_url,
        application_name=name,
        pool_size=settings.pool_size,
        transaction_ms=settings.request_ms,
    )
    install(
        app,
        Wiring(
            region,
            settings,
            database,
            open_vault(settings.vault_uri),
            watch(gateways or open_gateways(region, settings), database),
        ),
    )
    handlers.register(app)
    app.add_url_rule("/healthz", view_func=healthz)
    app.register_blueprint(asyncapi)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    publish(app, region, settings.api_base_url)
    return app


def healthz() -> Response:
    """200 only when the database answers; else the error handler says 503."""
    wiring = wired()
    wiring.database.ping()
    return json_response(200, encode({"status": "ok", "region": wiring.region.code}), {})
