"""Where a payment of ours was sent to: people know it by our ids, the simulated PSP by its own."""

from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from regions.errors import UsageError

# The attempt that took the money, or else the last one.
_FIND = """
SELECT id, gateway FROM attempts WHERE id = %(name)s OR payment_id = %(name)s
 ORDER BY status = 'succeeded' DESC, created_at DESC, id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one gateway."""

    id: str
    gateway: str


def attempt_of(database_url: str, name: str) -> Attempt:
    """The attempt of this id, or that decides about the payment of this id; raises UsageError when there is none."""
    with psycopg.connect(database_url) as connection:
        found = connection.cursor(row_factory=class_row(Attempt)).execute(_FIND, {"name": name}).fetchone()
    if found is None:
        raise UsageError(f"There is no payment or attempt {name} in this region.")
    return found
