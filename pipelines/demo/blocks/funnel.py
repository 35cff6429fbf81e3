"""Where payers give up, by channel, as the published warehouse counts it."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pipelines.demo.blocks.block import Block, Job, Place
from pipelines.demo.checks import Check, same_counts
from pipelines.funnel.domain import Group, draw, in_order
from regions.funnels import CHECKOUT, load_funnels

TITLE = "Funnel by channel, from the published warehouse"
WIDTH = 20


def funnel(place: Place, day: date, job: Job) -> Block:
    """The sessions opened on that day, split by channel; all channels together are all sessions."""
    definition = load_funnels()[CHECKOUT]
    steps = [step.name for step in definition.steps]
    shown = job("funnel", "--region", place.code, "--by", "channel", "--date", day.isoformat(), "--format", "json")
    groups = in_order(_group(row, steps) for row in json.loads(shown))
    widest = max((group.counts[0] for group in groups), default=0)
    lines = [
        f"{group.value:<10} {line.step:<10} {line.bar:<{WIDTH}} {line.count:>5}  {line.of_first:>6.1%}"
        for group in groups
        for line in draw(group, steps, widest, WIDTH)
    ]
    query = f"SELECT {', '.join(f'count({step}_at)::int AS {step}' for step in steps)} FROM fct_funnel_sessions"  # noqa: S608 - our names
    [sessions] = json.loads(
        job("sql", "--region", place.code, f"{query} WHERE opened_on = DATE '{day}'", "--format", "json")
    )
    counted = {step: sum(group.counts[at] for group in groups) for at, step in enumerate(steps)}
    return Block(
        TITLE, lines, [Check(place.code, "funnel: channels add up to sessions", same_counts(counted, sessions))]
    )


def _group(row: Mapping[str, Any], steps: Sequence[str]) -> Group:
    return Group(row["channel"], row["livemode"], tuple(row[f"{step}_sessions"] for step in steps))
