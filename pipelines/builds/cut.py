"""Where the stream is cut for a build: the last relay batch that the lake holds whole.

A relay batch never splits a transaction, and neither does the cut: a build sees a payment and its journal, or neither,
even while events keep coming.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pipelines.positions import missing, parse_positions
from regions.errors import MeridianError
from warehouse.inputs import StreamCut

if TYPE_CHECKING:
    import psycopg


class NoWholeBatchError(MeridianError):
    """The lake is behind everything that the relay remembers."""


def find_cut(batch_ends: Iterable[tuple[StreamCut, Mapping[str, str]]], reached: Mapping[str, str]) -> StreamCut:
    """The first batch, latest first, whose last positions per partition the lake has all reached.

    Raises NoWholeBatchError.
    """
    lake = parse_positions(dict(reached))
    for cut, positions in batch_ends:
        if not missing(parse_positions(dict(positions)), lake):
            return cut
    raise NoWholeBatchError("The lake is behind every batch that the relay remembers: run `meridian lake status`")


def batch_ends(connection: psycopg.Connection) -> Iterable[tuple[StreamCut, Mapping[str, str]]]:
    """The relay's batches, latest first, each with the last position per partition after it (roles `lake`, `reader`).

    The stream's beginning comes last, with no positions, while no batch has been forgotten.
    """
    row = connection.execute("SELECT epoch, batch, partitions FROM relay_cursor").fetchone()
    if row is None:
        return
    epoch, batch, partitions = row
    yield StreamCut(epoch, batch), partitions
    with connection.cursor() as earlier:
        earlier.execute(
            """SELECT epoch, batch, partitions FROM relay_batches WHERE (epoch, batch) <= (%s, %s)
                ORDER BY epoch DESC, batch DESC""",
            (epoch, batch),
        )
        for began_epoch, began_batch, before in earlier:
            yield StreamCut(began_epoch, began_batch - 1), before
