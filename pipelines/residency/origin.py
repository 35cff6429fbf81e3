"""What a column is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Leaf(NamedTuple):
    """A column that no SQL of ours makes: of a source, a seed, or a staging model of an event."""

    relation: str
    column: str


Paths = Mapping[Leaf, tuple[str, ...]]  # each leaf with the columns on the way to it


@dataclass(frozen=True, slots=True)
class Origin:
    """What a column is made of.

    `value`: what its values come from. `shape`: what decides which rows there are, and in which order.
    `links`: keys that only say which rows belong together: one column equals another, or is NULL, or is grouped by. No
    value of theirs shows, and none is compared with anything that we chose. `closed`: what a large enough aggregate has
    been made over; no single row shows any more.
    """

    value: Paths = field(default_factory=dict)
    shape: Paths = field(default_factory=dict)
    links: Paths = field(default_factory=dict)
    closed: Paths = field(default_factory=dict)

    def through(self, step: str) -> Origin:
        """The same, one step further from the leaves."""
        return Origin(*({leaf: (step, *path) for leaf, path in part.items()} for part in self.parts()))

    def parts(self) -> tuple[Paths, Paths, Paths, Paths]:
        """Value, shape, links, closed."""
        return self.value, self.shape, self.links, self.closed

    def as_shape(self) -> Origin:
        """Of a column that only decides about rows."""
        return Origin({}, merge([self.value, self.shape]), self.links, self.closed)

    def as_link(self) -> Origin:
        """Of a key that only says which rows belong together."""
        return Origin({}, self.shape, merge([self.value, self.links]), self.closed)

    def as_closed(self) -> Origin:
        """Of a column that a large enough aggregate counts."""
        return Origin({}, {}, {}, merge(self.parts()))

    def as_aggregated(self) -> Origin:
        """Of a column whose values a large enough aggregate shows: the rows behind them are closed, the values not."""
        return Origin(self.value, {}, {}, merge([self.shape, self.links, self.closed]))


def merge(parts: Iterable[Paths]) -> Paths:
    """Every leaf, with its shortest path."""
    merged: dict[Leaf, tuple[str, ...]] = {}
    for part in parts:
        for leaf, path in part.items():
            if leaf not in merged or len(path) < len(merged[leaf]):
                merged[leaf] = path
    return merged


def together(origins: Iterable[Origin]) -> Origin:
    """Of something made from all of these."""
    found = list(origins)
    return Origin(*(merge(origin.parts()[at] for origin in found) for at in range(4)))
