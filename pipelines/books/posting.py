"""Brings the books to what a build wants: takes back first, then posts, in batches, each a command of its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.books.wanted import WantedPosting, known_subjects
from regions.ids import house_id
from regions.posting import BATCH_MAX, RULE_VERSION, posting_key

if TYPE_CHECKING:
    import duckdb
    import psycopg

    from regions.region import Region

_COUNTED = ("posted", "reversed", "unchanged", "reopened")
Command = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

# What is live of the lines, entries and items since a day: posted and not reversed. Journals' own dates may be later.
_LIVE = """
SELECT p.subject_id, p.merchant_id, p.livemode, p.key
  FROM recon_postings p JOIN ledger_journals j ON j.id = p.journal_id
 WHERE j.kind IN ('settlement', 'bank') AND j.accounting_date >= %s
   AND NOT EXISTS (SELECT FROM ledger_journals r WHERE r.reverses_id = p.journal_id)
"""
_LIVE_REVALUATIONS = """
SELECT p.subject_id, p.merchant_id, p.livemode, p.key
  FROM recon_postings p JOIN ledger_journals j ON j.id = p.journal_id
 WHERE j.kind = 'fx_revaluation' AND starts_with(p.subject_id, %s)
   AND NOT EXISTS (SELECT FROM ledger_journals r WHERE r.reverses_id = p.journal_id)
"""


@dataclass(frozen=True, slots=True)
class Live:
    """A posting that stands."""

    subject_id: str
    merchant_id: str
    livemode: bool
    key: str


@dataclass(slots=True)
class Plan:
    """What is to be done. `unchanged` is what stands already."""

    take_back: list[Live] = field(default_factory=list)
    post: list[WantedPosting] = field(default_factory=list)
    unchanged: int = 0


@dataclass(slots=True)
class Posted:
    """What was done."""

    posted: int = 0
    reversed: int = 0
    unchanged: int = 0
    reopened: int = 0


def live_postings(connection: psycopg.Connection, since: date) -> list[Live]:
    """The postings that stand, of journals booked since then."""
    return [Live(*row) for row in connection.execute(_LIVE, [since])]


def plan_revaluation(connection: psycopg.Connection, prefix: str, wanted: Sequence[WantedPosting]) -> Plan:
    """What differs of one period's end, whose subjects begin with `prefix`; a balance that is no more is taken back."""
    standing = {row[0]: Live(*row) for row in connection.execute(_LIVE_REVALUATIONS, [prefix])}
    known = {one.subject_id: one.key for one in wanted}
    same = {name for name, live in standing.items() if known.get(name) == live.key}
    return Plan(
        take_back=[live for name, live in standing.items() if name not in known],
        post=[one for one in wanted if one.subject_id not in same],
        unchanged=len(same),
    )


def plan(
    region: Region, wanted: Iterable[WantedPosting], live: Sequence[Live], build: duckdb.DuckDBPyConnection
) -> Plan:
    """What differs. A subject that stands and that the build no longer has, or has for somebody else, is taken back."""
    standing = {one.subject_id: one for one in live}
    found, seen = Plan(), set()
    for one in wanted:
        seen.add(one.subject_id)
        before = standing.get(one.subject_id)
        if before is not None and before.merchant_id == (one.merchant_id or house_id(region.code)):
            if before.key == one.key:
                found.unchanged += 1
                continue
        elif before is not None:
            found.take_back.append(before)
        found.post.append(one)
    left = [one for one in live if one.subject_id not in seen]
    elsewhere = known_subjects(build, [one.subject_id for one in left])  # of days that were not asked for
    found.take_back += [one for one in left if one.subject_id not in elsewhere]
    return found


def carry_out(todo: Plan, command: Command) -> Posted:
    """Send the commands. Repeating them after a failure half-way changes nothing that was done."""
    done = Counter(unchanged=todo.unchanged)
    taken_back, posted = _Batches(), _Batches()
    for live in todo.take_back:
        taken_back.add(live, posting_key(live.subject_id, None, RULE_VERSION), None)
    for wanted in todo.post:
        posted.add(wanted, wanted.key, wanted.fact)
    for body in (*taken_back.bodies(), *posted.bodies()):
        answer = command("recon/postings", body)
        done.update({name: int(answer[name]) for name in _COUNTED})
    return Posted(**{name: done[name] for name in _COUNTED})


class _Batches:
    """Postings by whose books they go into: a command is for one merchant and mode."""

    def __init__(self) -> None:
        self._of: dict[tuple[str | None, bool], list[dict[str, Any]]] = defaultdict(list)

    def add(self, one: Live | WantedPosting, key: str, fact: Any) -> None:
        self._of[one.merchant_id, one.livemode].append({"subject_id": one.subject_id, "key": key, "fact": fact})

    def bodies(self) -> Iterator[dict[str, Any]]:
        for (merchant_id, livemode), postings in self._of.items():
            whose = {"merchant_id": merchant_id, "livemode": livemode, "rule_version": RULE_VERSION}
            for start in range(0, len(postings), BATCH_MAX):
                yield whose | {"postings": postings[start : start + BATCH_MAX]}
