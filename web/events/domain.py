"""Which events their merchant may read. Pure."""

from typing import Final

# Every family of regions/contracts/topics.toml is in one of the two: a test insists.
SHOWN: Final = frozenset({"links", "merchants", "checkout", "payments", "webhooks"})
HIDDEN: Final = frozenset({"ledger", "risk", "settlement"})  # our books, our defences, our gateways' files
