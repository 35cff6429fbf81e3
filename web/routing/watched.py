"""A gateway whose every call is counted, and whose breaker opens and closes by what the calls bring.

The counts live in the region's database, so all its processes share them. Counting never costs a payment: what goes
wrong with it is logged.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from web.clock import utc_now
from web.db.engine import Database
from web.gateways.capabilities import Capabilities, ClientSide
from web.gateways.disputes import Dispute, DisputePage
from web.gateways.domain import (
    Answer,
    Authorisation,
    CaptureAnswer,
    CaptureOrder,
    Card,
    Fact,
    GatewayEvent,
    Inquiry,
    RefundAnswer,
    RefundOrder,
    SaveAnswer,
    SaveOrder,
    VoidAnswer,
    VoidOrder,
)
from web.gateways.protocol import Gateway
from web.routing import circuit as breaker
from web.routing import repository
from web.routing.circuit import Health, Said, State
from web.routing.rules import load_routing

log = logging.getLogger(__name__)

SaidT = TypeVar("SaidT", Answer, CaptureAnswer, RefundAnswer, VoidAnswer, SaveAnswer)


class WatchedGateway:
    """A Gateway that hands everything on, and remembers how it went."""

    def __init__(self, gateway: Gateway, name: str, database: Database) -> None:
        self.watched = gateway
        self._name = name
        self._database = database

    @property
    def name(self) -> str:
        """What the region calls it."""
        return self._name

    @property
    def account(self) -> str:
        """Our account there."""
        return self.watched.account

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of it."""
        return self.watched.capabilities

    @property
    def not_found_after(self) -> timedelta:
        """The delay the gateway states."""
        return self.watched.not_found_after

    def client_side(self, parent_origin: str) -> ClientSide:
        """How a payer's page meets the gateway."""
        return self.watched.client_side(parent_origin)

    def describe_token(self, payment_token: str) -> Card | None:
        """What is behind a token."""
        return self.watched.describe_token(payment_token)

    def authorise(self, order: Authorisation) -> Answer:
        """Try to move the money, or to set it aside."""
        answer = self.watched.authorise(order)
        is_success = answer.fact in {Fact.CAPTURED, Fact.AUTHORISED}
        is_decided = is_success or answer.fact is Fact.DECLINED
        self._remember(order.method.value, answer, is_decided=is_decided, is_success=is_success)
        return answer

    def resolve(self, inquiry: Inquiry) -> Answer:
        """Ask what became of an attempt."""
        return self._seen("resolve", lambda: self.watched.resolve(inquiry))

    def capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Take money that was set aside."""
        return self._seen("capture", lambda: self.watched.capture(order))

    def resolve_capture(self, order: CaptureOrder) -> CaptureAnswer:
        """Ask what became of a capture."""
        return self._seen("resolve", lambda: self.watched.resolve_capture(order))

    def void(self, order: VoidOrder) -> VoidAnswer:
        """Let go of money that was set aside."""
        return self._seen("void", lambda: self.watched.void(order))

    def resolve_void(self, order: VoidOrder) -> VoidAnswer:
        """Ask what became of a void."""
        return self._seen("resolve", lambda: self.watched.resolve_void(order))

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money back."""
        return self._seen("refund", lambda: self.watched.refund(order))

    def resolve_refund(self, order: RefundOrder) -> RefundAnswer:
        """Ask what became of a refund."""
        return self._seen("resolve", lambda: self.watched.resolve_refund(order))

    def save(self, order: SaveOrder) -> SaveAnswer:
        """Keep a payment method without charging it."""
        return self._seen("save", lambda: self.watched.save(order))

    def forget(self, saved_id: str, payer_reference: str) -> bool:
        """Let the gateway forget a saved method."""
        return self.watched.forget(saved_id, payer_reference)

    def list_disputes(self, since: datetime, cursor: str | None = None) -> DisputePage:
        """Disputes opened since then."""
        return self.watched.list_disputes(since, cursor)

    def submit_evidence(self, dispute_reference: str, evidence: Mapping[str, str]) -> Dispute:
        """Contest a dispute."""
        return self.watched.submit_evidence(dispute_reference, evidence)

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Check a webhook's signature and age."""
        return self.watched.verify_webhook(headers, body, now)

    def parse_webhook(self, body: bytes) -> GatewayEvent:
        """Read a webhook that was verified when it came."""
        return self.watched.parse_webhook(body)

    def _seen(self, what: str, call: Callable[[], SaidT]) -> SaidT:
        answer = call()
        self._remember(what, answer)
        return answer

    def _remember(self, what: str, answer: Said, *, is_decided: bool = False, is_success: bool = False) -> None:
        health, now = breaker.health_of(answer), utc_now()
        try:
            with self._database.single_statements() as connection:
                values = {
                    "gateway": self.name,
                    "method": what,
                    "now": now,
                    "failures": int(health is Health.BAD),
                    "attempts": int(is_decided),
                    "successes": int(is_success),
                }
                repository.count_call(connection, values)
                known = repository.circuits(connection).get(self.name)
            is_closed = known is None or known.state is State.CLOSED
            if health is Health.BAD or not is_closed:
                self._turn(health, now)
        except SQLAlchemyError:
            log.exception("a gateway's call was not counted", extra={"gateway": self.name})

    def _turn(self, health: Health, now: datetime) -> None:
        policy = load_routing().breaker
        with self._database.transaction() as connection:
            circuit = repository.lock_circuit(connection, self.name)
            since = now - timedelta(seconds=policy.window_seconds)
            if circuit.changed_at is not None:  # what opened it last time does not open it again
                since = max(since, circuit.changed_at)
            calls, failures = repository.calls_since(connection, self.name, since)
            turned = breaker.after(circuit, health, calls, failures, now, policy)
            repository.save_circuit(connection, turned)
        if turned.state is not circuit.state:
            told = {"gateway": self.name, "from": circuit.state.value, "to": turned.state.value}
            log.log(
                logging.INFO if turned.state is State.CLOSED else logging.ERROR, "gateway breaker turned", extra=told
            )


def watch(gateways: Mapping[str, Gateway], database: Database) -> dict[str, Gateway]:
    """The same gateways, watched."""
    return {name: WatchedGateway(gateway, name, database) for name, gateway in gateways.items()}
