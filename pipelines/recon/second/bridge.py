"""The residual of each batch and currency, line by line: what is left when everything with a name is taken out.

A line with a name leaves nothing behind. So the residual is summed here from what matches and breaks do *not* explain
of each line's gross, from what fees and exchange do not explain of its net, and from what a batch does not pay out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pipelines.recon.second.rows import Item, Line, Outcome, Place, Rules

Bridge = dict[tuple[Place, int, str], int]


def residuals(lines: Sequence[Line], items: Sequence[Item], outcome: Outcome, rules: Rules) -> Bridge:
    """Residual in minor units per account, batch and currency; every batch is there in each currency that it names."""
    found: Bridge = defaultdict(int)
    booked = {item.item_id: item.amount_minor for item in items}
    broken = {line_id for kind, line_id, _ in outcome.breaks if kind not in {"fee", "fx", "timing", "split"}}
    for line in lines:
        net, gross = (line.place, line.batch_number, line.net_currency), (line.place, line.batch_number, line.currency)
        if not rules.is_movement(line.type):
            found[net] += 0  # in the bridge under its own name, whole, and on both sides
            continue
        item_id = outcome.matches.get(line.line_id, ("", None))[1]
        explained = line.gross_minor if line.line_id in broken else 0
        if line.line_id in outcome.matches:
            own = booked[item_id] if item_id else line.gross_minor
            explained = own + outcome.adjustments.get(line.line_id, 0)
        found[gross] += explained - line.gross_minor
        if line.currency == line.net_currency:
            found[net] += line.gross_minor - line.fees_minor - line.net_minor
        else:
            found[net] += 0
    for line in lines:  # what its lines move is what it pays out and carries on
        found[line.place, line.batch_number, line.net_currency] += line.net_minor
    return dict(found)
