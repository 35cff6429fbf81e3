"""Opens a shop for tests: a region's web service and the simulated PSP on free ports and throw-away databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import psycopg
from psycopg.rows import dict_row

from regions.region import load_region
from tests.support.postgres import PostgresServer
from tests.support.regional import RegionDatabase, region_on
from tests.support.sandbox import sandbox_database
from tests.support.serving import free_port, serving
from tests.support.shop import CONTROL_KEY, NOT_FOUND_AFTER, Shop
from web.app import create_app
from web.db.engine import Database
from web.gateways.sandbox.adapter import SandboxGateway, SandboxSettings
from web.sandbox.app import create_app as create_sandbox
from web.sandbox.database import Database as SandboxDatabase
from web.sandbox.settings import Settings as SandboxProcessSettings
from web.sandbox.webhooks.delivery import Courier
from web.settings import Settings

READ_SECONDS = 0.6  # our deadline for an answer …
HOLD_SECONDS = 1.5  # … and when the sandbox answers that means to be late


def sandbox_environment(database: RegionDatabase, sandbox_database_url: str, web_url: str, url: str) -> dict[str, str]:
    suffix = database.region.upper()
    names = (f"SANDBOX_API_KEY_{suffix}", f"SANDBOX_WEBHOOK_SECRET_{suffix}")
    return {
        "SANDBOX_DATABASE_URL": sandbox_database_url,
        "SANDBOX_URL": url,
        "SANDBOX_CONTROL_KEY": CONTROL_KEY,
        "SANDBOX_HOLD_SECONDS": str(HOLD_SECONDS),
        "SANDBOX_PENDING_SECONDS": "0",
        f"API_BASE_URL_{suffix}": web_url,
        **{name: database.env[name] for name in names},
    }


@contextmanager
def open_shop(server: PostgresServer, code: str = "eu") -> Iterator[Shop]:
    """Start it all on free ports and throw-away databases."""
    web_port, sandbox_port = free_port(), free_port()
    web_url, sandbox_url = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{sandbox_port}"
    with region_on(server, code) as region_database, sandbox_database(server.url) as psp_url:
        env = region_database.env | {f"API_BASE_URL_{code.upper()}": web_url, "SANDBOX_URL": sandbox_url}
        database = replace(region_database, env=env)
        region = load_region(code)
        settings = Settings.from_environment(region, env)
        gateways = {
            account.name: SandboxGateway(
                SandboxSettings(
                    base_url=sandbox_url,
                    account=account.account,
                    api_key=region.sandbox_api_key(env, account.name),
                    webhook_secret=region.sandbox_webhook_secret(env, account.name),
                    not_found_after=NOT_FOUND_AFTER,
                    deadlines=httpx.Timeout(2.0, read=READ_SECONDS),
                ),
            )
            for account in region.gateways
        }
        app = create_app(region, settings, gateways)
        worker_settings = Settings.from_environment(region, database.env_for("worker"))
        worker_database = Database(worker_settings.database_url, application_name="worker-tests", pool_size=4)
        worker = replace(app.extensions["meridian"], settings=worker_settings, database=worker_database)
        psp = SandboxProcessSettings.from_environment(sandbox_environment(database, psp_url, web_url, sandbox_url))
        psp_database = SandboxDatabase(psp.database_url)
        courier = Courier(psp, psp_database)
        try:
            with (
                serving(create_sandbox(psp, psp_database), sandbox_port),
                serving(app, web_port),
                httpx.Client(timeout=20, trust_env=False) as http,
                psycopg.connect(database.url, autocommit=True, row_factory=dict_row) as admin,
            ):
                yield Shop(database, web_url, sandbox_url, http, worker, courier, psp, psp_database, admin)
        finally:
            courier.close()
            psp_database.close()
            worker_database.dispose()
            app.extensions["meridian"].database.dispose()
