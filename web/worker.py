"""`python -m web.worker --region eu`: a region's background work. Several may run; each unit is claimed under a lock.

The composition root of the worker process.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from regions import logs
from regions.errors import MeridianError, UnavailableError
from regions.region import Region, load_region
from regions.vault import open_vault
from web.audit import service as audit
from web.background import (
    capturing,
    disputing,
    forgetting,
    housekeeping,
    inbox,
    metering,
    outbox_days,
    payouts,
    renewing,
    resolver,
    webhook_notices,
)
from web.bulk import service as bulk
from web.db.engine import Database
from web.gateways.factory import open_gateways
from web.routing.watched import watch
from web.settings import Settings
from web.wiring import Wiring

log = logging.getLogger(__name__)

PAUSE_AFTER_ERROR_SECONDS = 2.0
STOP_SECONDS_MAX = 40.0  # longer than the deadlines of one unit


@dataclass(frozen=True, slots=True)
class Duty:
    """One kind of background work: `step` does one unit and says whether there was one."""

    name: str
    step: Callable[[Wiring], bool]
    idle_seconds: float


DUTIES = (
    Duty("inbox", inbox.step, 0.3),
    Duty("attempts", resolver.step_attempts, 1.0),
    Duty("refunds", resolver.step_refunds, 1.0),
    Duty("captures", capturing.step_captures, 1.0),
    Duty("voids", capturing.step_voids, 1.0),
    Duty("authorisations", capturing.step_due, 2.0),
    Duty("disputes", disputing.step, 3600.0),
    Duty("sessions", housekeeping.step_sessions, 5.0),
    Duty("links", housekeeping.step_links, 5.0),
    Duty("bulk", bulk.step, 1.0),
    Duty("fees", metering.step, 2.0),
    Duty("forgetting", forgetting.step, 10.0),
    Duty("webhook-notices", webhook_notices.step, 2.0),
    Duty("renewal-periods", renewing.step_open, 5.0),
    Duty("renewals", renewing.step_charge, 2.0),
    Duty("renewal-links", renewing.step_unpaid, 30.0),
    Duty("payouts", payouts.step_due, 60.0),
    Duty("payout-files", payouts.step_files, 60.0),
    Duty("gateway-calls", housekeeping.step_gateway_calls, 600.0),
    Duty("idempotency-keys", housekeeping.step_idempotency_keys, 300.0),
    Duty("audit", audit.step, 2.0),
    Duty("rates", housekeeping.step_rates, 60.0),
    Duty("outbox-days", outbox_days.step, 3600.0),
)


def wire(region: Region, settings: Settings) -> Wiring:
    """Everything that the duties work with."""
    name = f"meridian-worker-{region.code}"
    database = Database(settings.database_url, application_name=name, pool_size=len(DUTIES) + 1)
    gateways = watch(open_gateways(region, settings), database)
    return Wiring(region, settings, database, open_vault(settings.vault_uri), gateways)


def run(wiring: Wiring, stop: threading.Event) -> bool:
    """Do every duty, each in its own thread, until told to stop; False if what was under way could not be finished."""
    threads = [
        threading.Thread(target=_serve, args=(duty, wiring, stop), name=duty.name, daemon=True) for duty in DUTIES
    ]
    for thread in threads:
        thread.start()
    log.info("worker started", extra={"duties": [duty.name for duty in DUTIES]})
    stop.wait()
    for thread in threads:
        thread.join(STOP_SECONDS_MAX / len(threads))
    is_done = not any(thread.is_alive() for thread in threads)
    log.info("worker stopped", extra={"is_done": is_done})
    return is_done


def _serve(duty: Duty, wiring: Wiring, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            pause = 0.0 if duty.step(wiring) else duty.idle_seconds
        except Exception:  # the duty goes on: its unit is claimed again once its lease is over
            log.exception("a unit of work failed", extra={"duty": duty.name})
            pause = PAUSE_AFTER_ERROR_SECONDS
        stop.wait(pause)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: runs in the foreground; SIGTERM and SIGINT end it after the units under way."""
    parser = argparse.ArgumentParser(prog="python -m web.worker", description="A region's background work.")
    parser.add_argument("--region", required=True, help="the region's code, such as eu")
    options = parser.parse_args(arguments)
    logs.configure("worker", options.region)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    try:
        region = load_region(options.region)
        wiring = wire(region, Settings.from_environment(region))
        _must_answer(wiring.database, region)
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    is_done = run(wiring, stop)
    wiring.database.dispose()
    return 0 if is_done else 1


def _must_answer(database: Database, region: Region) -> None:
    try:
        database.ping()
    except SQLAlchemyError as error:
        raise UnavailableError(
            f"The database of region {region.code} does not answer ({type(error).__name__}): check "
            f"DATABASE_URL_{region.code.upper()} and that PostgreSQL runs."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
