"""The outbox: events leave through it, in the transaction of the business rows that they tell of."""

from web.outbox.service import append, append_first

__all__ = ["append", "append_first"]
