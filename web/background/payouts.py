"""Payouts that are due, and the files that take them to the bank."""

import logging

from regions.ids import new_id
from web.clock import utc_now
from web.db.scope import Scope, enter_tenant
from web.payouts import repository, service
from web.payouts.domain import next_due
from web.wiring import Wiring

log = logging.getLogger(__name__)


def step_due(wiring: Wiring) -> bool:
    """Pay out one merchant's currency whose day has come; False when there is none."""
    now = utc_now()
    today = wiring.region.accounting_date(now)
    with wiring.database.transaction() as connection:
        due = repository.lock_due(connection, today)
        if due is None:
            return False
        enter_tenant(connection, due.merchant_id)
        correlation_id = new_id("request", wiring.region.code)
        scope = Scope(connection, wiring.region, due.merchant_id, due.livemode, correlation_id, now)
        made = service.pay_out(scope, due)
        repository.set_due(scope, due.currency, next_due(today, due.schedule, due.weekday, due.month_day))
    if isinstance(made, str):
        log.info("nothing paid out", extra={"merchant_id": due.merchant_id, "currency": due.currency, "why": made})
    return True


def step_files(wiring: Wiring) -> bool:
    """Make one file for the bank; False when nothing waits."""
    return service.make_file(wiring, utc_now())
