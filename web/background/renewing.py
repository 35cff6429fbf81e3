"""Renewals: periods are opened in time, charged while their gateway is well, and over when nobody has paid."""

from web.background import scopes
from web.background.queue import claim_open
from web.clock import utc_now
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
        service.open_next(scopes.entered(wiring, connection, found, now), found)
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
        service.end_unpaid(scopes.entered(wiring, connection, found, now), found.renewal_id, found.number)
    return True


def _charge(wiring: Wiring, due: DuePeriod) -> None:
    gateways = wiring.gateways
    gateway_call(
        lambda: scopes.opened(wiring, due),
        intend=lambda scope: charging.intend(scope, due, gateways, wiring.vault, wiring.settings.api_base_url),
        call=lambda charged: gateways[charged.gateway].authorise(charged.order),
        conclude=lambda scope, charged, answer: apply_outcome(
            scope, charged.order.attempt_id, answer, gateways[charged.gateway].not_found_after
        ),
        process="worker",
    )
