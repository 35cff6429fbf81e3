"""Renewals: periods are opened in time, charged while their gateway is well, and over when nobody has paid."""

from contextlib import AbstractContextManager

from regions.ids import new_id
from web.background.queue import claim_open
from web.clock import utc_now
from web.db.scope import Scope, Tenant, enter_tenant_as, tenant_scope
from web.db.steps import gateway_call
from web.payments.service import apply_outcome
from web.renewals import charging, repository, service
from web.renewals.models import DuePeriod
from web.wiring import Wiring


def step_open(wiring: Wiring) -> bool:
    """Open one renewal's next period; False when none is to be opened."""
    with wiring.database.transaction() as connection:
        found = repository.lock_to_open(connection, now := utc_now())
        if found is None:
            return False
        correlation_id = new_id("request", wiring.region.code)
        enter_tenant_as(connection, found.merchant_id, "", correlation_id)
        service.open_next(
            Scope(connection, wiring.region, found.merchant_id, found.livemode, correlation_id, now), found
        )
    return True


def step_charge(wiring: Wiring) -> bool:
    """Take one due period a step further: charge it, mostly; False when there is none at a gateway that is well."""
    claimed = claim_open(wiring, repository.claim_due)
    if claimed is not None:
        _charge(wiring, claimed)
    return claimed is not None


def step_unpaid(wiring: Wiring) -> bool:
    """End one period whose link has ended unpaid; False when there is none."""
    with wiring.database.transaction() as connection:
        found = repository.lock_to_end(connection, now := utc_now())
        if found is None:
            return False
        correlation_id = new_id("request", wiring.region.code)
        enter_tenant_as(connection, found.merchant_id, "", correlation_id)
        scope = Scope(connection, wiring.region, found.merchant_id, found.livemode, correlation_id, now)
        service.end_unpaid(scope, found.renewal_id, found.number)
    return True


def _charge(wiring: Wiring, due: DuePeriod) -> None:
    gateways = wiring.gateways
    gateway_call(
        lambda: _scope(wiring, due),
        intend=lambda scope: charging.intend(scope, due, gateways, wiring.vault, wiring.settings.api_base_url),
        call=lambda charged: gateways[charged.gateway].authorise(charged.order),
        conclude=lambda scope, charged, answer: apply_outcome(
            scope, charged.order.attempt_id, answer, gateways[charged.gateway].not_found_after
        ),
        process="worker",
    )


def _scope(wiring: Wiring, due: DuePeriod) -> AbstractContextManager[Scope]:
    tenant = Tenant("", due.merchant_id, due.livemode)
    correlation_id = new_id("request", wiring.region.code)
    return tenant_scope(wiring.database, wiring.region, tenant, correlation_id=correlation_id, now=utc_now())
