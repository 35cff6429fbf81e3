from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from regions.faults import reach
from web.db.scope import Scope

Intent = TypeVar("Intent")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Settled(Generic[Result]):
    """What `intend` returns when there is nothing to ask the gateway: the result is known already."""

    result: Result


def gateway_call(
    open_scope: Callable[[], AbstractContextManager[Scope]],
    *,
    intend: Callable[[Scope], Intent | Settled[Result]],
    call: Callable[[Intent], Answer],
    conclude: Callable[[Scope, Intent, Answer], Result],
    process: Literal["web", "worker"] = "web",
) -> Result:
    """Call a gateway in three steps, the one place that commits before a request's end.

    (1) `intend` writes the intent in a transaction of its own, which is committed. (2) `call` talks to the gateway
    while no transaction is open: it would hold locks and hold back the relay. (3) `conclude` writes the outcome in a
    second transaction. A process that dies in between leaves an intent, which the resolver of unknown attempts settles.
    """
    with open_scope() as scope:
        intent = intend(scope)
    if isinstance(intent, Settled):
        return intent.result
    answer = call(intent)
    reach("web.after_gateway_answer" if process == "web" else "worker.after_gateway_answer")
    with open_scope() as scope:
        return conclude(scope, intent, answer)
