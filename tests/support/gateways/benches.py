"""The gateways that the contract suite runs against, by name."""

from contextlib import AbstractContextManager

from tests.support.gateways.bench import Bench
from tests.support.gateways.sandbox import sandbox_bench
from tests.support.gateways.stripe import stripe_bench
from tests.support.postgres import PostgresServer

BENCHES = ("sandbox", "stripe")


def open_bench(name: str, server: PostgresServer) -> AbstractContextManager[Bench]:
    """A gateway's bench; what it starts ends with it."""
    return sandbox_bench(server) if name == "sandbox" else stripe_bench()
