"""A card-testing attack that the rules catch, and every served feature computed again from history."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import psycopg

from pipelines.demo.blocks.block import Block, Job, Place
from pipelines.demo.checks import Check
from pipelines.demo.script import ATTACK_ATTEMPTS, ATTACKED
from regions.errors import MeridianError

TITLE = "Fraud: a card-testing attack, and features online = features from history"
# The last attack on this stack, attempt by attempt: what was decided, and what became of it.
_ATTACK = """
WITH attacked AS (SELECT id FROM links WHERE reference LIKE %s || '-%%' ORDER BY created_at DESC LIMIT 1)
SELECT e.data->>'decision', p.status FROM outbox e JOIN payments p ON p.id = e.subject
 WHERE e.type = 'risk.assessed' AND p.link_id = (SELECT id FROM attacked) ORDER BY e.id
"""
_OTHERS = """
SELECT e.data->>'decision', count(*) FROM outbox e JOIN payments p ON p.id = e.subject JOIN links l ON l.id = p.link_id
 WHERE e.type = 'risk.assessed' AND l.reference NOT LIKE %s || '-%%' GROUP BY 1
"""


def fraud(place: Place, _day: date, job: Job) -> Block:
    """What the attack got, who else was stopped, and whether every served value can be computed again."""
    with psycopg.connect(place.reader_url, autocommit=True) as connection:
        decided = connection.execute(_ATTACK, [ATTACKED]).fetchall()
        others: Counter[str] = Counter(dict(connection.execute(_OTHERS, [ATTACKED]).fetchall()))
    attack, last = decided[:ATTACK_ATTEMPTS], decided[ATTACK_ATTEMPTS:]
    decisions = [decision for decision, _ in attack]
    first = decisions.index("block") + 1 if "block" in decisions else None
    found, parity_problem = _parity(place, job)
    counts = Counter(decisions)
    differing = len(found["mismatches"]) if "mismatches" in found else "unknown"
    lines = [
        f"attack attempts {len(attack)}, challenged {counts['challenge']}, blocked {counts['block']}",
        f"first block at attempt {first or 'none'}",
        f"other payers {others.total()}, challenged {others['challenge']}, blocked {others['block']}",
        f"parity: {found.get('decisions', 0)} decisions x {found.get('features', 0)} features, mismatches {differing}",
    ]
    return Block(
        TITLE,
        lines,
        [
            Check(place.code, "the card-testing attack is blocked", _is_caught(attack, decisions, first)),
            Check(place.code, "nobody else is stopped", _is_harmless(others, last)),
            Check(place.code, "features served = features from history", parity_problem),
        ],
    )


def _is_caught(attack: Sequence[tuple[str, str]], decisions: Sequence[str], first: int | None) -> str:
    if len(attack) != ATTACK_ATTEMPTS:
        return f"{len(attack)} attempts were assessed, not {ATTACK_ATTEMPTS}"
    if first is None:
        return "no attempt was blocked"
    if set(decisions[first - 1 :]) != {"block"}:
        return f"attempts after number {first} were let through"
    if any(status != "failed" for _, status in attack):
        return "a stolen card went through"
    return ""


def _is_harmless(others: Counter[str], last: Sequence[tuple[str, str]]) -> str:
    if stopped := others["challenge"] + others["block"]:
        return f"{stopped} other payers were challenged or blocked"
    if list(last) != [("allow", "succeeded")]:
        return f"who paid on the attacked link afterwards met {list(last)}"
    return ""


def _parity(place: Place, job: Job) -> tuple[dict[str, Any], str]:
    try:
        found: dict[str, Any] = json.loads(job("fraud", "parity", "--region", place.code, "--json"))
    except MeridianError as error:  # exit code 1: a value differs
        return {}, str(error)
    if not found["decisions"]:
        return found, "there was no decision to compare"
    return found, f"{len(found['mismatches'])} values differ" if found["mismatches"] else ""
