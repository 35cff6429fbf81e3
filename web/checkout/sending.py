"""Sending a payer's attempt: to the gateway that was chosen, and on to another one after a definite failure."""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from regions.money import Money
from regions.vault import Vault
from web.db.scope import Scope
from web.db.steps import Settled, gateway_call
from web.gateways.domain import Answer, Authorisation
from web.gateways.protocol import Gateway
from web.payments import orders
from web.payments.models import Payment, Standing
from web.payments.service import NextAttempt, apply_outcome, try_again
from web.routing import service as routing
from web.routing.domain import Context, Decision, Tried, as_json, next_gateway, pause_bound_ms
from web.routing.rules import load_routing
from web.saved import repository as saved_methods


@dataclass(frozen=True, slots=True)
class Sending:
    """An attempt that is written and about to be sent. `tried` are the payment's attempts that failed before it."""

    order: Authorisation
    gateway: str
    tried: tuple[Tried, ...] = ()
    token_of: str | None = None  # whose single-use token the payer's card became, and which one
    token: str | None = None


class Sender:
    """One submission's way through the gateways."""

    def __init__(
        self, gateways: Mapping[str, Gateway], vault: Vault, open_scope: Callable[[], AbstractContextManager[Scope]]
    ) -> None:
        self._gateways = gateways
        self._vault = vault
        self._open_scope = open_scope
        self._following: Sending | None = None

    def run(self, intend: Callable[[Scope], Sending | Settled[Payment | None]]) -> Payment | None:
        """Write the intent, send it, write the outcome; as long as that leads on, send the next attempt."""
        payment = self._send(intend)
        while self._following is not None:
            following, self._following = self._following, None
            _pause(following)
            payment = self._send(lambda _, due=following: due)  # type: ignore[misc] # its intent is committed already
        return payment

    def _send(self, intend: Callable[[Scope], Sending | Settled[Payment | None]]) -> Payment | None:
        def keep(scope: Scope) -> Sending | Settled[Payment | None]:
            intent = intend(scope)
            if isinstance(intent, Sending):
                orders.keep(scope, self._vault, self._gateways[intent.gateway], intent.order)
            return intent

        return gateway_call(
            self._open_scope,
            intend=keep,
            call=lambda sending: self._gateways[sending.gateway].authorise(sending.order),
            conclude=self._conclude,
        )

    def _conclude(self, scope: Scope, sending: Sending, answer: Answer) -> Payment | None:
        def onward(inner: Scope, standing: Standing, said: Answer) -> bool:
            self._following = self._next(inner, sending, standing, said)
            return self._following is not None

        delay = self._gateways[sending.gateway].not_found_after
        return apply_outcome(scope, sending.order.attempt_id, answer, delay, onward)

    def _next(self, scope: Scope, sending: Sending, standing: Standing, said: Answer) -> Sending | None:
        """Choose anew, with what is known now, and write the next attempt; None where the payment ends here."""
        failed = Tried(standing.attempt.id, sending.gateway, said.code or "")
        tried = (*sending.tried, failed)
        amount = Money(standing.payment.amount_minor, standing.payment.currency)
        decision = routing.choose(scope, self._gateways, standing.attempt.method, amount, Context(tried=tried))
        chosen = next_gateway(said, tried, decision.gateways, load_routing().onward)
        if chosen is None or not routing.let_through(scope.connection, chosen, scope.now):
            return None
        token = sending.token if chosen == sending.token_of else None
        following = NextAttempt(
            chosen,
            self._gateways[chosen].account,
            token or "",
            as_json(decision, chosen, len(tried) + 1, tried),
            self._gateways[chosen].capabilities.authorisation_lifetime,
        )
        attempt_id = try_again(scope, standing, following)
        saved_methods.follow(scope, standing.attempt.id, attempt_id, chosen)
        order = replace(sending.order, attempt_id=attempt_id, payment_token=token)
        return replace(sending, order=order, gateway=chosen, tried=tried)


def _pause(following: Sending) -> None:
    """Wait a random while before the same gateway is asked again; another one is asked at once."""
    times = sum(1 for each in following.tried if each.gateway == following.gateway)
    if times:
        time.sleep(random.uniform(0, pause_bound_ms(times, load_routing().onward)) / 1000)  # noqa: S311 - no secret


def first_choice(
    scope: Scope, gateways: Mapping[str, Gateway], method: str, amount: Money, token_of: str | None
) -> tuple[str | None, Decision]:
    """The gateway for a first attempt, None when none lets anything through, with the decision behind it."""
    decision = routing.choose(scope, gateways, method, amount, Context(token_of=token_of))
    return routing.first_open(scope, decision.gateways), decision
