"""From an exchange to an answer: the same for every gateway."""

import logging
from collections.abc import Callable
from typing import TypeVar

from web.gateways.domain import Answer, CaptureAnswer, Fact, RefundAnswer, StepFact, VoidAnswer
from web.gateways.errors import GatewayDocumentError
from web.gateways.exchange import Refusal

log = logging.getLogger(__name__)

StepT = TypeVar("StepT", RefundAnswer, CaptureAnswer, VoidAnswer)
ReadT = TypeVar("ReadT")


def attempt_of(got: bytes | Refusal, read: Callable[[bytes], Answer]) -> Answer:
    """What an attempt that was sent has become."""
    if isinstance(got, Refusal):
        fact = Fact.DECLINED if got.is_definite else Fact.UNKNOWN
        return Answer(fact, code=got.code, retry=got.retry, gateway_code=got.gateway_code)
    return reading(lambda: read(got), lambda code: Answer(Fact.UNKNOWN, code=code))


def attempt_looked_up(got: bytes | Refusal, read: Callable[[bytes], Answer]) -> Answer:
    """What a look-up of one says; a look-up that fails proves nothing."""
    if isinstance(got, Refusal):
        return Answer(Fact.UNKNOWN, code=got.code)
    return reading(lambda: read(got), lambda code: Answer(Fact.UNKNOWN, code=code))


def step_of(got: bytes | Refusal, kind: type[StepT], read: Callable[[bytes], StepT]) -> StepT:
    """What a capture, void or refund that was sent has become."""
    if isinstance(got, Refusal):
        # A capture, void or refund waits for a shut door to open; a payer does not.
        fact = StepFact.FAILED if got.is_definite and not got.is_about_us else StepFact.UNKNOWN
        return kind(fact, code=got.code)
    return reading(lambda: read(got), lambda code: kind(StepFact.UNKNOWN, code=code))


def looked_up(got: bytes | Refusal, kind: type[StepT], read: Callable[[bytes], StepT]) -> StepT:
    """What a look-up of one says; a look-up that fails proves nothing."""
    if isinstance(got, Refusal):
        return kind(StepFact.UNKNOWN, code=got.code)
    return reading(lambda: read(got), lambda code: kind(StepFact.UNKNOWN, code=code))


def reading(read: Callable[[], ReadT], unknown: Callable[[str], ReadT]) -> ReadT:
    """What a document says; `unknown` makes the answer to one that cannot be read."""
    try:
        return read()
    except GatewayDocumentError as error:
        log.exception("gateway answer unreadable")
        return unknown(type(error).__name__)
