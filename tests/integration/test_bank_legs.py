"""Gateway to bank: every error that is planted in a statement is found by its class, and none is invented."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import duckdb
import pytest

from pipelines.demo.blocks.bank import bank
from pipelines.recon import bank_landing
from pipelines.recon.formats import adyen
from pipelines.recon.landing import land
from pipelines.recon.statements import parse_statement
from regions.region import Region
from tests.support.bank_files import camt, camt_entry, camt_statement
from tests.support.warehouse import DAY, Bench, TradedDay, bench
from web.sandbox.bank import camt_statement as sandbox_statement
from web.sandbox.bank.domain import Entry, Payout, entries_of, statements_of
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


def reconcile(
    place: Bench, plants: Sequence[Plant], until: date = DAY + timedelta(days=9), booked: Sequence[Entry] = ()
) -> None:
    """Land the bank's statements of the payout day, with errors, and of a later day; run reconciliation again."""
    booked = booked or entries_of(payouts(place), 0)
    for day in (DAY, until):
        content = sandbox_statement.render(statements_of("MeridianEU", day, booked, {DAY: plants}))
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


def test_what_the_bank_announces_is_no_longer_merely_in_transit(place: Bench) -> None:
    payout = payouts(place)[0]
    refs = f"<NtryDtls><TxDtls><Refs><EndToEndId>{payout.reference}</EndToEndId></Refs></TxDtls></NtryDtls>"
    entry = camt_entry(f"{payout.amount_minor / 100:.2f}", more=refs)
    file = parse_statement(camt(camt_statement(entry, kind="Ntfctn"), message="054"), name="n")
    bank_landing.land(place.lake, place.region, file, livemode=False)
    inputs = place.inputs()
    with place.warehouse.lock():
        place.warehouse.reconcile(place.warehouse.build(DAY, inputs), inputs, {})
        place.warehouse.publish()
    assert rows(place, "SELECT payout_reference FROM fct_payout_legs WHERE outcome = 'announced'") == [
        (payout.reference,)
    ]
    assert rows(place, "SELECT count(*) FROM fct_bank_entries") == [(0,)]
    assert rows(place, "SELECT count(*) FROM fct_bank_breaks") == [(0,)]


def test_a_payout_whose_reference_is_lost_is_found_by_its_amount(place: Bench) -> None:
    booked = entries_of(payouts(place), 0)
    victim = next(entry for entry in booked if not entry.is_charge)
    lost = [replace(entry, reference="LOST1", text="Transfer LOST1") if entry is victim else entry for entry in booked]
    reconcile(place, [], booked=lost)
    found = rows(
        place, "SELECT pass, count(*) FROM fct_bank_entries WHERE outcome = 'payout' GROUP BY ALL ORDER BY ALL"
    )
    twins = [entry for entry in booked if entry.amount_minor == victim.amount_minor]
    assert found == ([("amount", 1), ("reference", 5)] if len(twins) == 1 else found)
    assert rows(place, "SELECT count(*) FROM fct_payout_legs WHERE outcome = 'match'") == [(6,)]


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
    broken = rows(
        place, "SELECT class, payout_reference FROM rpt_recon_breaks WHERE leg = 'bank' AND state != 'resolved'"
    )
    assert Counter(broken) == planted
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
