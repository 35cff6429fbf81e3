"""Which models an incremental build computes for new data only, and which again from everything.

What happens to a link, session, payment, refund or journal is told by its own events. So a build takes the objects that
new events touch, with all their events, through the very same models, and replaces these objects' rows. See ADR 0032.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from warehouse.dbt_plan import Node

EVENTS: Final = "source.meridian.lake.events"
_FIXED: Final = {"source.meridian.lake.run", "source.meridian.lake.fx_rates"}  # small, or one row


class Key(NamedTuple):
    """All rows of one object stand or fall together: the kind of object, and the column with its id."""

    kind: str
    column: str

    @property
    def grows(self) -> bool:
        """Whether its ids grow with time; others are hashes, and lie anywhere."""
        return self.kind not in {"line", "break"}


# Staging models of events: rows are only ever added. The key finds an object's earlier rows.
STAGED: Final[Mapping[str, Key]] = {
    "stg_merchant_created": Key("merchant", "merchant_id"),
    "stg_merchant_updated": Key("merchant", "merchant_id"),
    "stg_link_created": Key("link", "link_id"),
    "stg_link_deactivated": Key("link", "link_id"),
    "stg_link_completed": Key("link", "link_id"),
    "stg_link_expired": Key("link", "link_id"),
    "stg_link_reactivated": Key("link", "link_id"),
    "stg_link_updated": Key("link", "link_id"),
    "stg_checkout_opened": Key("session", "session_id"),
    "stg_checkout_submitted": Key("session", "session_id"),
    "stg_checkout_completed": Key("session", "session_id"),
    "stg_checkout_expired": Key("session", "session_id"),
    "stg_payment_created": Key("payment", "payment_id"),
    "stg_payment_attempted": Key("payment", "payment_id"),
    "stg_payment_requires_action": Key("payment", "payment_id"),
    "stg_payment_succeeded": Key("payment", "payment_id"),
    "stg_payment_failed": Key("payment", "payment_id"),
    "stg_payment_authorised": Key("payment", "payment_id"),
    "stg_payment_voided": Key("payment", "payment_id"),
    "stg_capture_created": Key("payment", "payment_id"),
    "stg_capture_succeeded": Key("payment", "payment_id"),
    "stg_capture_failed": Key("payment", "payment_id"),
    "stg_risk_assessed": Key("payment", "payment_id"),
    "stg_refund_created": Key("payment", "payment_id"),
    "stg_refund_succeeded": Key("payment", "payment_id"),
    "stg_refund_failed": Key("payment", "payment_id"),
    "stg_dispute_opened": Key("payment", "payment_id"),
    "stg_dispute_contested": Key("payment", "payment_id"),
    "stg_dispute_closed": Key("payment", "payment_id"),
    "stg_split_created": Key("payment", "payment_id"),
    "stg_split_reversed": Key("payment", "payment_id"),
    "stg_fee_charged": Key("payment", "payment_id"),
    "stg_fee_adjusted": Key("payment", "payment_id"),
    "stg_journal_posted": Key("source", "source_id"),
    "stg_payment_method_saved": Key("payment_method", "payment_method_id"),
    "stg_payment_method_deleted": Key("payment_method", "payment_method_id"),
    "stg_renewal_created": Key("renewal", "renewal_id"),
    "stg_renewal_updated": Key("renewal", "renewal_id"),
    "stg_renewal_upcoming": Key("renewal", "renewal_id"),
    "stg_renewal_charge_failed": Key("renewal", "renewal_id"),
    "stg_renewal_link_ready": Key("renewal", "renewal_id"),
    "stg_renewal_paid": Key("renewal", "renewal_id"),
    "stg_renewal_unpaid": Key("renewal", "renewal_id"),
    "stg_renewal_ended": Key("renewal", "renewal_id"),
    "stg_payout_created": Key("payout", "payout_id"),
    "stg_payout_paid": Key("payout", "payout_id"),
    "stg_payout_failed": Key("payout", "payout_id"),
    "stg_webhook_endpoint_disabled": Key("webhook_endpoint", "webhook_endpoint_id"),
}
# Models whose rows follow from the events of one session with its payments, refunds and journals.
TRADE: Final[Mapping[str, Key]] = {
    "int_journal_entries": Key("journal", "journal_id"),
    "int_merchant_currencies": Key("merchant", "merchant_id"),
    "int_captures": Key("payment", "payment_id"),
    "int_dispute_movements": Key("journal", "item_id"),
    "int_payment_attempts": Key("payment", "payment_id"),
    "int_payment_fx": Key("payment", "payment_id"),
    "int_session_steps": Key("session", "session_id"),
    "fct_payments": Key("payment", "payment_id"),
    "fct_refunds": Key("payment", "payment_id"),
    "fct_funnel_sessions": Key("session", "session_id"),
    "fct_risk_decisions": Key("payment", "payment_id"),
    "fct_fraud_features": Key("payment", "payment_id"),
}
# Models whose rows follow from a link's events and all its sessions' opening.
LINKS: Final[Mapping[str, Key]] = {"fct_links": Key("link", "link_id")}


class Pass(Enum):
    """When a node runs, and on what."""

    FIXED = 1  # reads no event: whole, each time
    STAGED = 2  # on new events alone
    STAGED_CHECK = 3  # the same, against the events themselves
    TRADE = 4  # on touched sessions, payments and refunds, with all their events
    LINKS = 5  # on touched links, with all their sessions
    REST = 6  # on everything


@dataclass(frozen=True, slots=True)
class Passes:
    """A stage's nodes by pass, each in the plan's order."""

    nodes: Mapping[Pass, tuple[Node, ...]]

    @property
    def keys(self) -> dict[str, Key]:
        """The models that are kept from build to build."""
        known = {**STAGED, **TRADE, **LINKS}
        kept = (Pass.STAGED, Pass.TRADE, Pass.LINKS)
        return {node.name: known[node.name] for step in kept for node in self.nodes[step] if not node.is_test}


def sort_nodes(nodes: Iterable[Node]) -> Passes:
    """Sort nodes, which come in the order of a plan, into passes.

    A model that reads what no other pass but the last provides falls back to the last: slower, never wrong.
    """
    found: dict[str, Pass] = {}
    sorted_nodes: dict[Pass, list[Node]] = {step: [] for step in Pass}
    for node in nodes:
        parents = {Pass.FIXED if parent in _FIXED else found.get(parent) for parent in node.parents if parent != EVENTS}
        step = _of_test(node, parents) if node.is_test else _of_model(node, parents)
        found[node.id] = step
        sorted_nodes[step].append(node)
    return Passes({step: tuple(members) for step, members in sorted_nodes.items()})


def _of_model(node: Node, parents: set[Pass | None]) -> Pass:
    reads_events = EVENTS in node.parents
    if not reads_events and parents <= {Pass.FIXED}:
        return Pass.FIXED
    if node.name in STAGED and reads_events and parents <= {Pass.FIXED}:
        return Pass.STAGED
    if node.name in TRADE and not reads_events and parents <= {Pass.FIXED, Pass.STAGED, Pass.TRADE}:
        return Pass.TRADE
    if node.name in LINKS and not reads_events and parents <= {Pass.FIXED, Pass.STAGED}:
        return Pass.LINKS
    return Pass.REST


def _of_test(node: Node, parents: set[Pass | None]) -> Pass:
    if EVENTS in node.parents:
        return Pass.STAGED_CHECK if parents == {Pass.STAGED} else Pass.REST
    if parents <= {Pass.FIXED}:
        return Pass.FIXED
    if parents <= {Pass.FIXED, Pass.STAGED, Pass.TRADE}:
        return Pass.TRADE
    return Pass.LINKS if parents <= {Pass.FIXED, Pass.LINKS} else Pass.REST
