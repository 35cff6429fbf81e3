from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A gateway's webhook that was verified and waits to be processed. `body` is ciphertext."""

    id: str
    gateway: str
    body: bytes = field(repr=False)
    tries: int
    received_at: datetime
