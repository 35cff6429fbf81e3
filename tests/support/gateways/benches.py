"""The gateways that the contract suite runs against, by name."""

from contextlib import AbstractContextManager

from tests.support.gateways.adyen import adyen_bench
from tests.support.gateways.bench import Bench
from tests.support.gateways.sandbox import sandbox_bench
from tests.support.gateways.stripe import stripe_bench
from tests.support.postgres import PostgresServer

BENCHES = ("sandbox", "stripe", "adyen")


def open_bench(name: str, server: PostgresServer) -> AbstractContextManager[Bench]:
    """A gateway's bench; what it starts ends with it."""
    match name:
        case "sandbox":
            return sandbox_bench(server)
        case "stripe":
            return stripe_bench()
        case _:
            return adyen_bench()
