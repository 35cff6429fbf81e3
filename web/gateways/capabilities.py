"""What an account at a gateway can do, and how a payer's page meets it, as data."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from web.gateways.domain import Method


class Lookup(StrEnum):
    """How a gateway lets us find out what became of an attempt whose answer was lost."""

    BY_REFERENCE = "by_reference"  # it finds the attempt by our own id
    RESEND = "resend"  # the identical request under the same key, or its webhook


class ClientKind(StrEnum):
    """How the payer's page meets a gateway."""

    FRAME = "frame"  # the gateway's card fields in its own frame, and its full page where there are no scripts
    REDIRECT = "redirect"  # its full page alone


@dataclass(frozen=True)
class ClientSide:
    """What the payer's page needs of a gateway, as data. `origins` are where its frames and pages live.

    The frame and our page talk in messages whose types begin with `channel`: `<channel>-submit` to the frame, and
    `-ready`, `-resize`, `-enter`, `-token`, `-error` from it.
    """

    kind: ClientKind
    origins: tuple[str, ...]
    frame_url: str | None = None
    channel: str | None = None


@dataclass(frozen=True)
class Capabilities:
    """What an account at a gateway can do. What it cannot is never asked of it."""

    methods: frozenset[Method]
    lookup: Lookup
    has_manual_capture: bool
    has_partial_capture: bool
    has_multiple_captures: bool
    has_saved_methods: bool
    has_dispute_list: bool
    has_evidence: bool
    authorisation_lifetime: timedelta
    idempotency_lifetime: timedelta
