"""A build upon an earlier one is the build that reads everything: for any arrival of events, late ones included."""

import json
import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.fx.landing import CheckedFile
from pipelines.fx.landing import land as land_rates
from pipelines.fx.rates import PublishedDay
from regions.target_days import publication_moment
from tests.support.warehouse import DAY, Bench, TradedDay, bench, digest
from warehouse import parts
from warehouse.build_record import BuildRecord
from warehouse.builds import Warehouse
from warehouse.inputs import Inputs, StreamCut
from warehouse.query import open_published

SLICES = 4
Event = dict[str, Any]


def arrivals(rng: random.Random, days: list[TradedDay]) -> list[tuple[int, int, Event]]:
    """Each event with the slice that it counts in, and the one (this or an earlier) that brings it into the lake.

    Whatever the books allow happens: links and sessions that are heard of last, attempts after their success.
    """
    found: list[tuple[int, int, Event]] = []
    for day in days:
        counted: dict[tuple[str, str], int] = {}
        for event in day.events:
            kind, data = event["type"], json.loads(event["data"])
            subject = event["subject"]
            waits = {
                "payment.succeeded": [("payment.created", subject)],
                "refund.created": [("payment.succeeded", data.get("payment_id", ""))],
                "refund.succeeded": [("refund.created", subject)],
            }.get(kind, [])
            counts_in = max([rng.randrange(SLICES), *(counted[place] for place in waits)])
            if kind == "journal.posted":  # in the transaction of what it books
                counts_in = counted[(f"{data['kind']}.succeeded", data["source_id"])]
            counted[(kind, subject)] = counts_in
            found.append((counts_in, max(0, counts_in - rng.randrange(2)), event))
    rng.shuffle(found)
    return found


def trade(place: Bench, seed: int) -> list[TradedDay]:
    days = [TradedDay(place.region, DAY + timedelta(days=offset), seed=seed + offset).trade(9) for offset in (0, 1, 2)]
    for _ in range(5):  # some are there before their rates are
        for currency in ("USD", "SEK"):
            days[0].session("partly_refunded", currency=currency)
    return days


def rates_of(day: date, rate: str) -> CheckedFile:
    quoted = {"USD": Decimal(rate), "SEK": Decimal("11.2")}
    return CheckedFile(f"{day}.xml", rate, [PublishedDay(day, publication_moment(day), quoted, "sandbox")])


def reconcile(warehouse: Warehouse, day: date, inputs: Inputs, *, is_whole: bool) -> BuildRecord:
    with warehouse.lock():
        return warehouse.reconcile(warehouse.build(day, inputs, is_whole=is_whole), inputs, {})


KEPT = {"copied": (parts.PART_ROWS, 48), "in parts": (0, 2), "table, then parts": (40, 48)}


# The last one goes through both forms of a table.
@pytest.mark.parametrize(
    ("seed", "kept"),
    [
        pytest.param(1, "copied", marks=pytest.mark.campaign),
        pytest.param(2, "in parts", marks=pytest.mark.campaign),
        (3, "table, then parts"),
    ],
)
def test_each_build_upon_the_last_is_the_whole_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, kept: str
) -> None:
    part_rows, parts_max = KEPT[kept]
    monkeypatch.setattr(parts, "PART_ROWS", part_rows)
    monkeypatch.setattr(parts, "PARTS_MAX", parts_max)
    rng = random.Random(seed)
    with bench(tmp_path) as place:
        whole = Warehouse(place.region, tmp_path / "whole")
        days = trade(place, seed * 10)
        found = arrivals(rng, days)
        for step in range(SLICES + 1):
            rows = [
                event | {"position": f"1:{counts_in + 1}:{number}"}
                for number, (counts_in, lands_in, event) in enumerate(found)
                if lands_in == step
            ]
            if rows:
                place.ingest(rows, step + 1)
            if step == 1:  # a day of rates that comes late
                # The later batch is heard of first: what it took up of the one before is known once that comes.
                place.land(days[0].report(["amount", "duplicate", "missing_with_us", "currency"], 2)[0])
                land_rates(place.lake, [rates_of(date(2026, 3, 13), "1.10")])
            if (
                step == 2
            ):  # a report of movements that are partly booked later; an earlier day of rates, and a correction
                place.land(days[1].report(["missing_at_gateway"])[0], days[1].day)
                land_rates(place.lake, [rates_of(date(2026, 3, 12), "1.20"), rates_of(date(2026, 3, 13), "1.11")])
            if step == 3:  # the gateway corrects a report: other lines, some are gone
                place.land(days[0].report(["amount"], 2)[0])
            inputs = replace(place.inputs(), cut=StreamCut(1, step + 1))
            # In the last step nothing is new but the day: so late that the third day's report is missing.
            late = 7 if step == SLICES else 0
            day = DAY + timedelta(days=step + late)
            made = reconcile(place.warehouse, day, inputs, is_whole=False)
            expected = reconcile(whole, day, inputs, is_whole=True)
            assert made.increment is not None
            assert expected.increment is not None
            assert (made.increment.base, expected.increment.base) == (step or None, None)
            assert made.increment.consumed == expected.increment.consumed
            assert digest(place.warehouse.path(made.number)) == digest(whole.path(expected.number))
            assert made.table_rows == expected.table_rows
            with place.warehouse.lock():
                place.warehouse.publish()
        again = rerun(place, made)
        assert again.increment is not None
        assert again.increment.base == SLICES
        assert digest(place.warehouse.path(again.number)) == digest(place.warehouse.path(made.number))
        if not part_rows:
            read_as_readers_do(place)


def rerun(place: Bench, record: BuildRecord) -> BuildRecord:
    with place.warehouse.lock():
        again = place.warehouse.build(record.business_date, record.inputs, rerun_of=record.number)
        return place.warehouse.reconcile(again, record.inputs, {})


def read_as_readers_do(place: Bench) -> None:
    """Views over partition files are all that readers may open on disk."""
    with open_published(place.warehouse, is_locked=False) as other, open_published(place.warehouse) as connection:
        assert connection.execute("SELECT count(*) > 10 FROM fct_payments").fetchone() == (True,)
        assert other.execute("SELECT count(*) > 10 FROM staging.stg_payment_created").fetchone() == (True,)
        with pytest.raises(Exception, match="file system operations are disabled"):
            connection.execute("SELECT * FROM read_csv('/etc/passwd')")


def test_what_does_not_add_up_is_built_whole(tmp_path: Path) -> None:
    """Rows that come with a number that was consumed before would be lost."""
    with bench(tmp_path) as place:
        place.ingest(TradedDay(place.region, seed=1).trade(3).events, 1)
        reconcile(place.warehouse, DAY, place.inputs(), is_whole=False)
        place.ingest(TradedDay(place.region, seed=2).trade(3).events, 1)
        made = reconcile(place.warehouse, DAY, place.inputs(), is_whole=False)
    assert made.increment is not None
    assert (made.increment.base, made.table_rows["fct_links"]) == (None, 6)
