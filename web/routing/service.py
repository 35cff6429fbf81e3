from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from regions.money import Money
from web.db.scope import Scope
from web.gateways.domain import Method
from web.gateways.protocol import Gateway
from web.routing import circuit as breaker
from web.routing import repository
from web.routing.domain import Context, Decision, Option, Wish, decide
from web.routing.rules import load_routing


def choose(
    scope: Scope, gateways: Mapping[str, Gateway], method: str, amount: Money, context: Context | None = None
) -> Decision:
    """Order the region's gateways for a payment by what is known right now; the merchant's preference counts."""
    routing = load_routing()
    given = context or Context()
    wish = Wish(scope.region.code, amount.currency, method, amount.amount_minor)
    since = scope.now - timedelta(minutes=routing.success.window_minutes)
    rates = repository.recent_success(scope.connection, method, since)
    circuits = repository.circuits(scope.connection)
    options = []
    for account in scope.region.gateways:
        gateway = gateways.get(account.name)
        if gateway is None:
            continue
        circuit = circuits.get(account.name, breaker.Circuit(account.name))
        attempts, successes = rates.get(account.name, (0, 0))
        options.append(
            Option(
                gateway=account.name,
                account=account.account,
                order=account.order,
                takes=method in account.methods and Method(method) in gateway.capabilities.methods,
                cost_bps=routing.cost_bps(account.name),
                attempts=attempts,
                successes=successes,
                shut=breaker.refusal(circuit, scope.now),
            )
        )
    known = replace(given, preferred=given.preferred or repository.preferred(scope, method))
    return replace(decide(wish, options, routing.rules, routing.success, known), version=routing.version)


def first_open(scope: Scope, wanted: Iterable[str]) -> str | None:
    """The first of these gateways that lets a call through; where its breaker is not closed, this call probes."""
    return next((gateway for gateway in wanted if let_through(scope.connection, gateway, scope.now)), None)


def let_through(connection: Connection, gateway: str, now: datetime) -> bool:
    """Whether a call may go to a gateway now. Of several that ask while its breaker is half open, one may."""
    circuit = repository.circuits(connection).get(gateway)
    if circuit is None or circuit.state is breaker.State.CLOSED:
        return True
    if breaker.refusal(circuit, now) is not None:
        return False
    locked = repository.lock_circuit(connection, gateway)
    if breaker.refusal(locked, now) is not None:
        return False
    repository.save_circuit(connection, breaker.probing(locked, now, load_routing().breaker))
    return True


def shut_gateways(connection: Connection, now: datetime) -> list[str]:
    """The gateways that nothing is sent to right now: their work waits in the database."""
    circuits = repository.circuits(connection)
    return sorted(name for name, circuit in circuits.items() if breaker.refusal(circuit, now) is not None)
