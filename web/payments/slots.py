"""Capacity of links that may be paid so often and no oftener: every payment under way or made has a slot of its own.

Whoever calls holds the link's row lock; UNIQUE (link, slot) would refuse a second holder all the same.
"""

from sqlalchemy import text

from web.db.scope import Scope

# The next slot after the highest, or else the first that was given back.
_FREE = """
top AS (SELECT coalesce(max(slot), 0) + 1 AS slot FROM link_slots WHERE link_id = :link_id),
free AS (
  SELECT slot FROM top WHERE slot <= :capacity
  UNION ALL (SELECT s FROM top, generate_series(1, :capacity) AS s
              WHERE top.slot > :capacity
                AND NOT EXISTS (SELECT FROM link_slots x WHERE x.link_id = :link_id AND x.slot = s) ORDER BY s LIMIT 1))
"""
_TAKE = text(f"""
WITH {_FREE}
INSERT INTO link_slots (link_id, slot, merchant_id, payment_id, state)
SELECT :link_id, slot, :merchant_id, :payment_id, :state FROM free ON CONFLICT (link_id, slot) DO NOTHING
""")  # noqa: S608 - a constant
_USE = text("UPDATE link_slots SET state = 'used' WHERE link_id = :link_id AND payment_id = :payment_id")
_RELEASE = text("DELETE FROM link_slots WHERE link_id = :link_id AND payment_id = :payment_id AND state = 'held'")
_HAS_ROOM = text(f"""
WITH {_FREE}
SELECT EXISTS (SELECT FROM link_slots WHERE link_id = :link_id AND payment_id = :payment_id)
    OR EXISTS (SELECT FROM free)
""")  # noqa: S608 - a constant
_USED = text("SELECT count(*) FROM link_slots WHERE link_id = :link_id AND state = 'used'")


def hold(scope: Scope, link_id: str, payment_id: str, capacity: int) -> bool:
    """Take a free slot for a payment that is about to be sent; False when there is none."""
    values = {**_slot(scope, link_id, payment_id), "capacity": capacity, "state": "held"}
    return scope.connection.execute(_TAKE, values).rowcount == 1


def use(scope: Scope, link_id: str, payment_id: str, capacity: int) -> None:
    """Make the slot that this payment holds, or a free one, a used one."""
    values = _slot(scope, link_id, payment_id)
    if scope.connection.execute(_USE, values).rowcount == 0:
        scope.connection.execute(_TAKE, {**values, "capacity": capacity, "state": "used"})


def release(scope: Scope, link_id: str, payment_id: str) -> None:
    """Give back the slot that this payment holds, if it does."""
    scope.connection.execute(_RELEASE, _slot(scope, link_id, payment_id))


def has_room(scope: Scope, link_id: str, payment_id: str, capacity: int) -> bool:
    """Whether this payment has a slot or could have one."""
    values = {**_slot(scope, link_id, payment_id), "capacity": capacity}
    return bool(scope.connection.execute(_HAS_ROOM, values).scalar_one())


def used(scope: Scope, link_id: str) -> int:
    """How many payments a link has taken."""
    return int(scope.connection.execute(_USED, {"link_id": link_id}).scalar_one())


def _slot(scope: Scope, link_id: str, payment_id: str) -> dict[str, str]:
    return {"link_id": link_id, "merchant_id": scope.merchant_id, "payment_id": payment_id}
