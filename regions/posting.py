"""What both halves must agree on about a posting of reconciliation: its key. Who asks makes it, who posts checks it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from regions.ids import hashed_id

RULE_VERSION: Final = 2  # of the rules that turn a match into entries; a new version books every line anew
BATCH_MAX: Final = 200  # postings in one command


def posting_key(subject_id: str, fact: Mapping[str, Any] | None, rule_version: int) -> str:
    """SHA-256 of a line (or bank entry), what it was matched with, and the rules: the same match has the same key."""
    told = json.dumps([subject_id, fact, rule_version], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(told.encode()).hexdigest()


def payout_subject(payout_key: str, *, livemode: bool) -> str:
    """The subject of what a batch paid out to our bank in one currency: reports number their batches in each mode."""
    return f"payout/{'live' if livemode else 'test'}/{payout_key}"


def posting_id(region: str, merchant_id: str, subject_id: str, key: str, generation: int) -> str:
    """The id of a posting, which is its journal's source: a match that comes back after a reversal is a new one."""
    told = "\x1f".join((merchant_id, subject_id, key, str(generation)))
    return hashed_id("posting", region, hashlib.sha256(told.encode()).hexdigest())
