"""Brings the books to what a build wants: takes back first, then posts, in batches, each a command of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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

Command = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

# What is live of the lines, entries and items since a day: posted and not reversed. Journals' own dates may be later.
_LIVE = """
SELECT p.subject_id, p.merchant_id, p.livemode, p.key
  FROM recon_postings p JOIN ledger_journals j ON j.id = p.journal_id
 WHERE j.kind IN ('settlement', 'bank') AND j.accounting_date >= %s
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
    done = Posted(unchanged=todo.unchanged)
    nothing: dict[tuple[str | None, bool], list[dict[str, Any]]] = defaultdict(list)
    for one in todo.take_back:
        gone = {"subject_id": one.subject_id, "key": posting_key(one.subject_id, None, RULE_VERSION), "fact": None}
        nothing[one.merchant_id, one.livemode].append(gone)
    books: dict[tuple[str | None, bool], list[dict[str, Any]]] = defaultdict(list)
    for two in todo.post:
        said = {"subject_id": two.subject_id, "key": two.key, "fact": two.fact}
        books[two.merchant_id, two.livemode].append(said)
    for groups in (nothing, books):
        for (merchant_id, livemode), postings in groups.items():
            for start in range(0, len(postings), BATCH_MAX):
                body = {"merchant_id": merchant_id, "livemode": livemode, "rule_version": RULE_VERSION}
                answer = command("recon/postings", body | {"postings": postings[start : start + BATCH_MAX]})
                for name in ("posted", "reversed", "unchanged", "reopened"):
                    setattr(done, name, getattr(done, name) + int(answer[name]))
    return done
