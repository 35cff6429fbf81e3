from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from web.db.scope import Scope
from web.routing.circuit import Circuit, State

_COLUMNS = "gateway, state, open_until, probe_until, open_count, went_well, changed_at"
_CIRCUITS = text(f"SELECT {_COLUMNS} FROM gateway_circuits")  # noqa: S608 - our own columns
_LOCK = text(f"{_CIRCUITS.text} WHERE gateway = :gateway FOR UPDATE")
_MAKE = text("INSERT INTO gateway_circuits (gateway, state) VALUES (:gateway, 'closed') ON CONFLICT DO NOTHING")
_SAVE = text("""
UPDATE gateway_circuits SET state = :state, open_until = :open_until, probe_until = :probe_until,
       open_count = :open_count, went_well = :went_well, changed_at = :changed_at
 WHERE gateway = :gateway
""")
_COUNT = text("""
INSERT INTO gateway_calls AS c (gateway, method, at, calls, failures, attempts, successes)
VALUES (:gateway, :method, date_bin('10 seconds', :now, 'epoch'::timestamptz), 1, :failures, :attempts, :successes)
ON CONFLICT (gateway, method, at) DO UPDATE
   SET calls = c.calls + 1, failures = c.failures + excluded.failures, attempts = c.attempts + excluded.attempts,
       successes = c.successes + excluded.successes
""")
_WINDOW = text("""
SELECT coalesce(sum(calls), 0) AS calls, coalesce(sum(failures), 0) AS failures
  FROM gateway_calls WHERE gateway = :gateway AND at > :since
""")
_RATES = text("""
SELECT gateway, sum(attempts) AS attempts, sum(successes) AS successes
  FROM gateway_calls WHERE method = :method AND at > :since GROUP BY gateway
""")
_FORGET = text("DELETE FROM gateway_calls WHERE at < :before")
_PREFERRED = text("SELECT gateways FROM routing_preferences WHERE livemode = :livemode AND method = :method")
_PREFERENCES = text(
    "SELECT method, gateways, updated_at FROM routing_preferences WHERE livemode = :livemode ORDER BY method"
)
_PREFER = text("""
INSERT INTO routing_preferences (merchant_id, livemode, method, gateways, updated_at)
VALUES (:merchant_id, :livemode, :method, :gateways, :now)
ON CONFLICT (merchant_id, livemode, method) DO UPDATE SET gateways = excluded.gateways, updated_at = excluded.updated_at
""")
_UNPREFER = text("DELETE FROM routing_preferences WHERE livemode = :livemode AND method = :method")


def circuits(connection: Connection) -> dict[str, Circuit]:
    """The breakers that were ever touched, by gateway."""
    return {row["gateway"]: _circuit(row) for row in connection.execute(_CIRCUITS).mappings()}


def lock_circuit(connection: Connection, gateway: str) -> Circuit:
    """One breaker, locked until the transaction ends; made if it was never touched."""
    connection.execute(_MAKE, {"gateway": gateway})
    return _circuit(connection.execute(_LOCK, {"gateway": gateway}).mappings().one())


def save_circuit(connection: Connection, circuit: Circuit) -> None:
    """Write a breaker that is locked."""
    values = {
        "gateway": circuit.gateway,
        "state": circuit.state.value,
        "open_until": circuit.open_until,
        "probe_until": circuit.probe_until,
        "open_count": circuit.open_count,
        "went_well": circuit.went_well,
        "changed_at": circuit.changed_at,
    }
    connection.execute(_SAVE, values)


def count_call(connection: Connection, values: Mapping[str, Any]) -> None:
    """Count one call: `gateway`, `method`, `now`, and 0 or 1 for `failures`, `attempts`, `successes`."""
    connection.execute(_COUNT, values)


def calls_since(connection: Connection, gateway: str, since: datetime) -> tuple[int, int]:
    """Calls to a gateway in a window, and how many of them failed."""
    row = connection.execute(_WINDOW, {"gateway": gateway, "since": since}).mappings().one()
    return int(row["calls"]), int(row["failures"])


def recent_success(connection: Connection, method: str, since: datetime) -> dict[str, tuple[int, int]]:
    """Attempts by a method since then, and how many succeeded, by gateway."""
    rows = connection.execute(_RATES, {"method": method, "since": since}).mappings()
    return {row["gateway"]: (int(row["attempts"]), int(row["successes"])) for row in rows}


def forget_calls(connection: Connection, before: datetime) -> int:
    """Delete counts that nobody looks at any more."""
    return connection.execute(_FORGET, {"before": before}).rowcount


def preferred(scope: Scope, method: str) -> tuple[str, ...]:
    """The merchant's own order for a method; empty without one."""
    found: list[str] | None = scope.connection.execute(
        _PREFERRED, {"livemode": scope.livemode, "method": method}
    ).scalar_one_or_none()
    names: list[str] = found or []
    return tuple(names)


def preferences(scope: Scope) -> list[RowMapping]:
    """The merchant's own orders: `method`, `gateways`, `updated_at`."""
    return list(scope.connection.execute(_PREFERENCES, {"livemode": scope.livemode}).mappings())


def prefer(scope: Scope, method: str, gateways: Sequence[str]) -> None:
    """Keep the merchant's order for a method; an empty one is none."""
    values = {"merchant_id": scope.merchant_id, "livemode": scope.livemode, "method": method, "now": scope.now}
    if gateways:
        scope.connection.execute(_PREFER, {**values, "gateways": list(gateways)})
    else:
        scope.connection.execute(_UNPREFER, values)


def _circuit(row: RowMapping) -> Circuit:
    return Circuit(**{**row, "state": State(row["state"])})
