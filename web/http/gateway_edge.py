"""The request edge of routes that ask a gateway: three steps, an idempotency key bound to the intent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from flask import Response, request

from web.clock import utc_now
from web.db.scope import Scope, Tenant, tenant_scope
from web.db.steps import Settled, gateway_call
from web.http import idempotency as keys
from web.http.answers import Answer, json_response, request_id
from web.http.edge import answer_of_winner, check_ids, merchant_scope, replay, told
from web.http.idempotency import IdempotencyKey, KeyTakenError, Stored
from web.wiring import wired

P = ParamSpec("P")


class HasObjectId(Protocol):
    """An intent names the object that its idempotency key is bound to."""

    @property
    def object_id(self) -> str:
        """The id of the refund, payment, … that the intent wrote."""


IntentT = TypeVar("IntentT", bound=HasObjectId)
ReplyT = TypeVar("ReplyT")


@dataclass(frozen=True, slots=True)
class GatewayWork(Generic[IntentT, ReplyT]):
    """What a route does in three steps (see web.db.steps.gateway_call).

    `intend` may return Settled(answer) when there is nothing to ask. `current` answers a repeated request whose first
    run stored no answer and never will: the bound object as it is now.
    """

    intend: Callable[[Scope], IntentT | Settled[Answer]]
    call: Callable[[IntentT], ReplyT]
    conclude: Callable[[Scope, IntentT, ReplyT], Answer]
    current: Callable[[Scope, str], Answer]


def merchant_gateway_route(view: Callable[P, GatewayWork[Any, Any]]) -> Callable[P, Response]:
    """Serve a merchant's request that asks a gateway. The view reads the request and returns its three steps."""

    @wraps(view)
    def serve(*args: P.args, **kwargs: P.kwargs) -> Response:
        check_ids(kwargs)
        run = _Run(keys.key_of(request), lambda: view(*args, **kwargs))
        try:
            return gateway_call(run.open_scope, intend=run.intend, call=run.call, conclude=run.conclude)
        except KeyTakenError:
            return answer_of_winner(run.idempotency)

    return serve


class _Run:
    """One request's way through the three steps."""

    def __init__(self, idempotency: IdempotencyKey | None, make_work: Callable[[], GatewayWork[Any, Any]]) -> None:
        self.idempotency = idempotency
        self._make_work = make_work
        self._stored: Stored | None = None
        self._tenant: Tenant | None = None
        self._actor = ""
        self._work: GatewayWork[Any, Any]

    @contextmanager
    def open_scope(self) -> Iterator[Scope]:
        """The first time the caller is asked for the key; after that the tenant is known."""
        if self._tenant is None:
            with merchant_scope(self.idempotency) as (scope, self._stored):
                self._tenant, self._actor = Tenant("", scope.merchant_id, scope.livemode), scope.actor
                yield scope
        else:
            wiring = wired()
            with tenant_scope(
                wiring.database,
                wiring.region,
                self._tenant,
                correlation_id=request_id(),
                now=utc_now(),
                actor=self._actor,
            ) as scope:
                yield scope

    def intend(self, scope: Scope) -> Any:
        if self.idempotency is not None and self._stored is not None:
            return Settled(self._repeat(scope, self.idempotency, self._stored))
        self._work = self._make_work()
        intent = self._work.intend(scope)
        if isinstance(intent, Settled):
            return Settled(self._respond(scope, intent.result, keys.claim_answered))
        if self.idempotency is not None:
            keys.claim_intent(scope, self.idempotency, intent.object_id)
        return intent

    def call(self, intent: Any) -> Any:
        return self._work.call(intent)

    def conclude(self, scope: Scope, intent: Any, reply: Any) -> Response:
        return self._respond(scope, self._work.conclude(scope, intent, reply), keys.answer)

    def _repeat(self, scope: Scope, idempotency: IdempotencyKey, stored: Stored) -> Response:
        keys.check(stored, idempotency, scope.now)
        if stored.response_status is None and stored.object_id is not None:
            answer = self._make_work().current(scope, stored.object_id)
            return json_response(answer.status, told(answer.body), answer.headers)
        return replay(stored, idempotency, scope)

    def _respond(
        self, scope: Scope, answer: Answer, store: Callable[[Scope, IdempotencyKey, int, bytes], None]
    ) -> Response:
        body = told(answer.body)
        if self.idempotency is not None:
            store(scope, self.idempotency, answer.status, body)
        return json_response(answer.status, body, answer.headers)
