"""Gateway to bank: every error that is planted in a statement is found by its class, and none is invented."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pytest

from pipelines.demo.blocks.bank import bank
from pipelines.recon import bank_landing
from pipelines.recon.formats import adyen
from pipelines.recon.landing import land
from pipelines.recon.statements import parse_statement
from regions.region import Region
from tests.support.warehouse import DAY, Bench, TradedDay, bench
from web.sandbox.bank import camt_statement
from web.sandbox.bank.domain import Payout, entries_of, statements_of
from web.sandbox.bank.planting import Plant, plant_errors

CURRENCY = "EUR"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A traded day, settled in six batches, and the warehouse built for it once."""
    with bench(tmp_path_factory.mktemp("legs")) as made:
        day = TradedDay(made.region).trade(8)
        made.append(day.events)
        content = b"".join(
            part if number == 1 else part.partition(b"\n")[2]
            for number in range(1, 7)
            for part in [day.report(batch_number=number)[0]]
        )
        report = adyen.parse_report(content, name="r", gateway="sandbox", report_date=DAY)
        land(made.lake, made.region, report, {}, livemode=False)
        made.build()
        yield made


def payouts(place: Bench) -> list[Payout]:
    source = place.inputs().settlement_lines.duckdb_sql()
    rows = duckdb.sql(
        f"""SELECT batch_number, report_date, net_currency, -net_minor, split_part(modification_reference, ' ', 1)
              FROM {source} WHERE type = 'MerchantPayout' ORDER BY ALL"""
    ).fetchall()
    return [Payout(*row) for row in rows]


def reconcile(place: Bench, plants: Sequence[Plant], until: date = DAY + timedelta(days=9)) -> None:
    """Land the bank's statements of the payout day, with errors, and of a later day; run reconciliation again."""
    booked = entries_of(payouts(place), 0)
    for day in (DAY, until):
        content = camt_statement.render(statements_of("MeridianEU", day, booked, {DAY: plants}))
        bank_landing.land(place.lake, place.region, parse_statement(content, name="s"), livemode=False)
    inputs = place.inputs()
    with place.warehouse.lock():
        record = place.warehouse.build(DAY, inputs)
        place.warehouse.reconcile(record, inputs, {})
        place.warehouse.publish()


def rows(place: Bench, query: str) -> list[tuple[object, ...]]:
    path = place.warehouse.path(place.warehouse.published() or 0)
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_before_a_statement_payouts_are_in_transit(place: Bench) -> None:
    assert set(rows(place, "SELECT DISTINCT outcome FROM fct_payout_legs")) == {("in_transit",)}


def test_every_planted_error_is_found_by_its_class_and_none_is_invented(place: Bench) -> None:
    plants: list[Plant] = ["missing_at_bank", "unknown_at_bank", "amount", "duplicate", "split"]
    booked = entries_of(payouts(place), 0)
    _, key = plant_errors(booked, plants)
    reconcile(place, plants)
    found = Counter(
        rows(place, "SELECT outcome, payout_reference FROM fct_payout_legs WHERE outcome != 'match'")
        + rows(place, "SELECT outcome, NULL FROM fct_bank_entries WHERE outcome = 'unknown_at_bank'")
    )
    planted = Counter((one["class"], None if one["class"] == "unknown_at_bank" else one["reference"]) for one in key)
    assert found == planted
    charges = rows(place, "SELECT count(*) FROM fct_bank_entries WHERE outcome = 'charge'")
    assert charges == [(sum(entry.is_charge for entry in booked),)]
    reported = {one["reference"]: one["reported_minor"] for one in key if one["class"] in {"amount", "duplicate"}}
    arrived = dict(rows(place, "SELECT payout_reference, arrived_minor FROM fct_payout_legs"))
    assert {name: arrived[name] for name in reported} == reported


def test_the_demos_block_says_what_landed_and_what_is_missing(place: Bench) -> None:
    def job(*words: str) -> str:
        path = place.warehouse.path(place.warehouse.published() or 0)
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(words[words.index("--region") + 2])
            names = [column[0] for column in found.description or []]
            return json.dumps([dict(zip(names, row, strict=True)) for row in found.fetchall()])

    reconcile(place, [])
    shown = bank(Spot(place.region), DAY, job)
    assert [check.holds for check in shown.checks] == [True, True], shown.checks
    assert shown.lines == [line for line in shown.lines if line.startswith("camt.053") and line.endswith("foots")]
    reconcile(place, ["missing_at_bank"])
    assert [check.holds for check in bank(Spot(place.region), DAY, job).checks] == [True, False]
    nothing = bank(Spot(place.region), DAY - timedelta(days=1), job)
    assert [check.holds for check in nothing.checks] == [False, True]


@dataclass(frozen=True)
class Spot:
    """The region, as the demo's blocks know it."""

    region: Region
    reader_url: str = ""

    @property
    def code(self) -> str:
        return self.region.code
