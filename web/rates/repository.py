from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from web.db.engine import driver_of
from web.rates.domain import Bucket

_SHARE = 16  # a lease is a sixteenth of what is left, so the last ones go one by one …
_SPAN_SECONDS = 0.25  # … and never more than refills in this time, so that no process sits on much

_GRANT = f"least(floor({{full}}), greatest(1, floor(least({{full}} / {_SHARE}, {{rate}} * {_SPAN_SECONDS}))))"
# A transaction of its own: others wait for a bucket only as long as this takes. It changes an unlogged table alone, so
# its commit waits for no disk. Addresses come before keys in every call: nobody waits in a ring.
_LEASE = f"""
INSERT INTO rate_buckets AS b (bucket, per_second, burst, granted, level, at)
SELECT g.bucket, g.per_second, g.burst, f.granted, g.burst - f.granted, clock_timestamp()
  FROM unnest(%s::bytea[], %s::float8[], %s::float8[]) WITH ORDINALITY AS g (bucket, per_second, burst, n),
       LATERAL (SELECT {_GRANT.format(full="g.burst", rate="g.per_second")} AS granted) AS f
 ORDER BY g.n
ON CONFLICT (bucket) DO UPDATE SET (per_second, burst, at, granted, level) = (
  SELECT excluded.per_second, excluded.burst, n.at, f.granted, n.level - f.granted
    FROM (SELECT t.at, least(excluded.burst,
                             b.level + excluded.per_second * greatest(0, extract(epoch FROM t.at - b.at))) AS level
            FROM (SELECT clock_timestamp() AS at) AS t) AS n,
         LATERAL (SELECT {_GRANT.format(full="n.level", rate="excluded.per_second")} AS granted) AS f)
RETURNING b.bucket, b.granted, b.level
"""  # noqa: S608 - constants
_FORGET = text("""
DELETE FROM rate_buckets WHERE bucket IN (
  SELECT bucket FROM rate_buckets
   WHERE at < clock_timestamp() - interval '1 minute'
     AND level + per_second * extract(epoch FROM clock_timestamp() - at) >= burst
   LIMIT :batch FOR UPDATE SKIP LOCKED)
""")


class Grant(NamedTuple):
    """What a bucket gave, and what is left in it."""

    tokens: int
    level: float


def lease(connection: Connection, buckets: Sequence[Bucket]) -> dict[bytes, Grant]:
    """Take a share out of each bucket, by name; a bucket that is empty gives 0."""
    arrays = (
        [bucket.name for bucket in buckets],
        [float(bucket.rate.per_second) for bucket in buckets],
        [float(bucket.rate.burst) for bucket in buckets],
    )
    rows = driver_of(connection).execute(_LEASE, arrays).fetchall()
    return {bytes(name): Grant(tokens, level) for name, tokens, level in rows}


def forget_full(connection: Connection, batch: int) -> int:
    """Drop buckets that are full again: that they exist says nothing. How many went."""
    return connection.execute(_FORGET, {"batch": batch}).rowcount
