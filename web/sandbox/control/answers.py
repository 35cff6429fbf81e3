"""Answers to captures, voids and refunds, as the dials want them: too late, or lost. The change itself is committed."""

from typing import Any

from web.sandbox.control import faults
from web.sandbox.database import Conn
from web.sandbox.edge.idempotency import Answer
from web.sandbox.settings import Settings


def answer_of(connection: Conn, settings: Settings, account: str, document: dict[str, Any]) -> Answer:
    """The answer, held back or lost if it is one of the next ones that are to be."""
    is_held = faults.take_timeout(connection, account)
    is_lost = not is_held and faults.take_error(connection, account)
    return Answer(document, hold_seconds=settings.hold_seconds if is_held else 0, is_lost=is_lost)
