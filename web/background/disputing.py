"""Disputes whose webhooks were lost: gateways that list theirs are asked now and then."""

from datetime import timedelta

from web.background import scopes
from web.clock import utc_now
from web.disputes import repository
from web.disputes.service import apply_news
from web.gateways.disputes import Dispute
from web.gateways.errors import GatewayUnavailableError
from web.gateways.protocol import Gateway
from web.wiring import Wiring

LOOK_BACK = timedelta(days=120)  # how long after its opening a dispute may still change


def step(wiring: Wiring) -> bool:
    """Read what every gateway lists; always False: there is nothing more until the next time."""
    for gateway in wiring.gateways.values():
        if gateway.capabilities.has_dispute_list:
            _read(wiring, gateway)
    return False


def _read(wiring: Wiring, gateway: Gateway) -> None:
    since, cursor = utc_now() - LOOK_BACK, None
    while True:
        try:
            page = gateway.list_disputes(since, cursor)
        except GatewayUnavailableError:
            return  # the next time will do
        for told in page.disputes:
            _apply(wiring, gateway.name, told)
        cursor = page.next_cursor
        if cursor is None:
            return


def _apply(wiring: Wiring, gateway: str, told: Dispute) -> None:
    with wiring.database.transaction() as connection:
        of = repository.disputed(connection, gateway, told.attempt_id, told.payment_reference)
        if of is None:
            return  # another region's, at the same account
        apply_news(scopes.entered(wiring, connection, of, utc_now()), of, told)
