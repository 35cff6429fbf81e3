"""A traded day through lake, dbt and publication: what went in comes out, to the minor unit."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from regions.errors import UsageError
from regions.ids import new_id
from tests.support.warehouse import DAY, Bench, TradedDay, bench, digest
from warehouse import builds, parts, recon_transform
from warehouse.build_record import BuildStatus
from warehouse.dbt_runner import TransformError
from warehouse.inputs import InputsGoneError, RunParameters, StreamCut, write_inputs
from warehouse.pointer import WarehouseBusyError
from warehouse.query import open_published

PLANTS = [
    "missing_at_gateway", "missing_with_us", "amount", "duplicate", "currency", "fee", "fx", "timing", "chargeback",
    "unknown_type", "split",
]  # fmt: skip


@dataclass
class Built:
    bench: Bench
    day: TradedDay
    answer_key: list[dict[str, Any]]
    links: dict[str, str]  # id by what becomes of it

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with open_published(self.bench.warehouse) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """One day of 60 sessions, with an error of each class planted in the report, built and published."""
    with bench(tmp_path_factory.mktemp("warehouse")) as place:
        day = TradedDay(place.region).trade(60)
        links = changed_links(day)
        place.append(day.events)
        report, key = day.report(PLANTS)  # type: ignore[arg-type]
        place.land(report)
        place.build()
        yield Built(place, day, key, links)


EARLY, LATE, AT = "2026-01-05T00:00:00.000000Z", "2027-01-05T00:00:00.000000Z", "2026-01-06T00:00:00.000000Z"


def changed_links(day: TradedDay) -> dict[str, str]:
    """Links whose terms or ends change after they were made."""
    found = {name: day.link(campaign="old", channel="sms", expires_at=EARLY) for name in ("expired", "moved", "ended")}
    found |= {"plain": day.link(campaign="old"), "paid late": day.link(expires_at=EARLY)}
    for name in ("expired", "moved", "paid late"):
        day.tell_of_link("link.expired", found[name], expired_at=EARLY)
    day.tell_of_link("link.completed", found["paid late"], payment_id=new_id("payment", "eu"), completed_at=LATE)
    moved = {"link_id": found["moved"], "updated_at": AT, "reference": "INV-2"}
    day.tell_of_link("link.updated", **moved, fields=["campaign", "expires_at"], campaign="new", expires_at=LATE)
    day.tell_of_link("link.updated", **moved, fields=["channel"], campaign="newer", expires_at=LATE)
    ended = {"fields": ["expires_at"], "reference": "INV-1", "expires_at": AT, "updated_at": AT}
    day.tell_of_link("link.updated", found["ended"], **ended)
    day.tell_of_link("link.expired", found["ended"], expired_at=AT)
    day.tell_of_link("link.deactivated", found["ended"], deactivated_at=AT)
    return found


def test_links_are_as_they_were_changed_last(built: Built) -> None:
    rows = built.rows(
        """SELECT link_id, status, reference, campaign, channel, expires_at::date::text, expired_at::date::text,
                  updated_at IS NOT NULL FROM fct_links"""
    )
    by_id = {row[0]: row[1:] for row in rows}
    assert {name: by_id[link_id] for name, link_id in built.links.items()} == {
        "expired": ("expired", "INV-1", "old", "sms", "2026-01-05", "2026-01-05", False),
        "moved": ("active", "INV-2", "newer", None, "2027-01-05", None, True),
        "ended": ("deactivated", "INV-1", None, None, "2026-01-06", "2026-01-06", True),
        "plain": ("active", "INV-1", "old", None, None, None, False),
        "paid late": ("completed", "INV-1", None, None, "2026-01-05", "2026-01-05", False),
    }


def test_payments_refunds_and_funnel_are_what_was_traded(built: Built) -> None:
    expected = built.day.expected
    assert built.rows("SELECT currency, sum(captured_minor), sum(refunded_minor) FROM fct_payments GROUP BY ALL") == [
        ("EUR", expected["captured_EUR"], expected["refunded_EUR"])
    ]
    assert built.rows("SELECT sum(refunded_minor) FROM fct_refunds") == [(expected["refunded_EUR"],)]
    assert built.rows("SELECT count(*), count(submitted_at), count(succeeded_at) FROM fct_funnel_sessions") == [
        (expected["sessions"], expected["submitted"], expected["paid"])
    ]
    drop_offs = dict(built.rows("SELECT drop_off_step, count(*) FROM fct_funnel_sessions GROUP BY ALL"))
    assert drop_offs["opened"] == expected["sessions"] - expected["submitted"]
    assert drop_offs["submitted"] == expected["submitted"] - expected["paid"]
    assert drop_offs[None] == expected["paid"]


def test_each_planted_error_is_a_break_of_its_class_and_nothing_else_is(built: Built) -> None:
    found = Counter(built.rows("SELECT class, psp_reference FROM fct_recon_breaks"))
    assert found == Counter((answer["class"], answer["psp_reference"]) for answer in built.answer_key)


def test_the_planted_fee_is_an_anomaly_of_its_part_against_the_contract_that_holds(built: Built) -> None:
    (planted,) = (answer for answer in built.answer_key if answer["class"] == "fee")
    rows = built.rows(
        """SELECT psp_reference, contract, component, difference_minor, charged_minor - expected_minor
             FROM fct_fee_anomalies"""
    )
    difference = planted["reported_minor"] - planted["expected_minor"]
    assert rows == [(planted["psp_reference"], "sandbox", "commission", difference, difference)]


def test_the_summary_explains_everything(built: Built) -> None:
    rows = built.rows(
        """SELECT currency, captured_minor, refunded_minor, settled_minor, matched_lines, break_count, unexplained_minor
             FROM rpt_recon_summary ORDER BY currency"""
    )
    assert [row[0] for row in rows] == ["EUR", "USD"]  # the planted currency has a row of its own
    assert rows[0][1:3] == (built.day.expected["captured_EUR"], built.day.expected["refunded_EUR"])
    assert (
        sum(row[4] for row in rows) == len(built.day.items) - 3 + 1
    )  # one left out, one amount, one currency, a half more
    assert sum(row[5] for row in rows) == len(PLANTS)
    assert {row[6] for row in rows} == {0}


def test_business_dates_are_in_the_regions_time_zone(built: Built) -> None:
    assert built.rows("SELECT DISTINCT created_on, opened_on FROM fct_payments, fct_funnel_sessions") == [(DAY, DAY)]
    assert built.rows("SELECT DISTINCT business_date FROM rpt_recon_summary") == [(DAY,)]


def test_no_ciphertext_and_no_view_over_lake_files_reaches_a_build(built: Built) -> None:
    columns = built.rows("SELECT table_name, column_name FROM information_schema.columns WHERE column_name = 'pii'")
    assert columns == []
    assert built.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal") == []


def test_a_rerun_on_the_recorded_inputs_gives_the_same_tables(built: Built) -> None:
    place = built.bench
    first = place.warehouse.recorded_inputs(DAY)
    assert first is not None
    place.append(TradedDay(place.region, seed=2).trade(3).events)  # the lake moves on
    with place.warehouse.lock():
        again = place.warehouse.build(DAY, first.inputs, rerun_of=first.number)
        again = place.warehouse.reconcile(again, first.inputs, {})
    assert again.rerun_of == first.number
    assert digest(place.warehouse.path(again.number)) == digest(place.warehouse.path(first.number))
    assert place.warehouse.published() == first.number


def test_reconciling_a_build_again_leaves_no_table_in_two_forms(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table may be large the first time, and small the second: then the next build must not read the first one's."""
    warehouse, inputs = built.bench.warehouse, built.bench.inputs()
    recon = set(recon_transform.KEPT)
    with warehouse.lock():
        made = warehouse.build(DAY, inputs, is_whole=True)
        digests = []
        for rows in (0, 10**6):
            monkeypatch.setattr(parts, "PART_ROWS", rows)
            made = warehouse.reconcile(made, inputs, {})
            assert made.increment is not None
            assert bool(recon & made.increment.parts.keys()) == (not rows)
            digests.append(digest(warehouse.path(made.number)))
    assert digests[0] == digests[1]


def test_the_cut_leaves_out_events_of_later_batches(tmp_path: Path) -> None:
    with bench(tmp_path) as place:
        place.append(TradedDay(place.region).trade(4).events)
        inputs = replace(place.inputs(), cut=StreamCut(1, 5))  # each event of the generator is a batch of its own
        write_inputs(tmp_path / "lake.duckdb", inputs, RunParameters("eu", "Europe/Berlin", DAY, "EUR"))
    with duckdb.connect(str(tmp_path / "lake.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT max(position), count(*) FROM events").fetchone() == ("1:5:1", 5)


def test_an_empty_lake_builds_and_publishes(tmp_path: Path) -> None:
    with bench(tmp_path, "hk") as place:
        place.build()
        with open_published(place.warehouse) as connection:
            assert connection.execute("SELECT count(*) FROM fct_payments").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM rpt_recon_summary").fetchone() == (0,)


def test_a_failing_check_leaves_the_last_good_build_in_place(built: Built) -> None:
    place = built.bench
    good = place.warehouse.published()
    lost = TradedDay(place.region, seed=3)
    lost.session("paid")
    place.append([event for event in lost.events if event["type"] != "journal.posted"])  # a payment without its journal
    with place.warehouse.lock(), pytest.raises(TransformError, match="ledger_matches_payments"):
        place.warehouse.build(DAY, place.inputs())
    latest = place.warehouse.records()[-1]
    assert latest.status is BuildStatus.BUILD_FAILED
    with place.warehouse.lock():
        with pytest.raises(UsageError, match="not published, it is only build failed"):
            place.warehouse.publish()
        with pytest.raises(UsageError, match="cannot be reconciled"):
            place.warehouse.reconcile(latest, place.inputs(), {})
    assert place.warehouse.published() == good
    assert built.rows("SELECT count(*) FROM fct_payments") == [(built.day.expected["submitted"],)]


def test_the_warehouse_has_one_writer(built: Built) -> None:
    warehouse = built.bench.warehouse
    busy = pytest.raises(WarehouseBusyError, match="Another job is writing the warehouse of eu")
    with warehouse.lock(), busy, warehouse.lock():
        pass
    with warehouse.lock():
        pass


def test_recorded_inputs_that_are_gone_are_named(built: Built) -> None:
    inputs = built.bench.inputs()
    gone = replace(inputs, events=replace(inputs.events, files=("/nowhere/a.parquet",)))
    with pytest.raises(InputsGoneError, match=r"/nowhere/a\.parquet is no longer in the lake"):
        gone.check_files()


READER = """
import json, sys
from pathlib import Path
from regions.region import load_region
from warehouse.builds import Warehouse
from warehouse.query import open_published

warehouse = Warehouse(load_region("eu"), Path(sys.argv[1]))
seen = []
print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    with open_published(warehouse) as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM fct_a), (SELECT count(*) FROM fct_b), (SELECT max(n) FROM fct_a)"
        ).fetchone()
        again = connection.execute("SELECT (SELECT count(*) FROM fct_a), (SELECT max(n) FROM fct_a)").fetchone()
    seen.append((*counts, *again))
print(json.dumps(seen))
"""


def test_readers_in_a_loop_never_see_half_a_build(built: Built, tmp_path: Path) -> None:
    """Builds are published and pruned as fast as possible while two processes read: each read is of one whole build."""
    warehouse = builds.Warehouse(built.bench.region, tmp_path / "eu")
    record = replace(built.bench.warehouse.records()[0], status=BuildStatus.RECONCILED)
    stop = tmp_path / "stop"

    def publish(number: int) -> None:
        with warehouse.lock():
            with duckdb.connect(str(warehouse.path(number))) as connection:
                connection.execute(f"CREATE TABLE fct_a AS SELECT {number} AS n FROM range({number * 1000})")
                connection.execute(f"CREATE TABLE fct_b AS SELECT {number} AS n FROM range({number * 1000})")
            replace(record, number=number).save(warehouse.folder)
            warehouse.publish()

    publish(1)
    command = [sys.executable, "-c", READER, str(warehouse.folder), str(stop)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
    for number in range(2, 20):
        publish(number)
    stop.touch()
    seen = [tuple(row) for reader in readers for row in json.loads(reader.communicate(timeout=60)[0].splitlines()[-1])]
    assert all(reader.returncode == 0 for reader in readers)
    assert {row for row in seen if row != (row[2] * 1000, row[2] * 1000, row[2], row[2] * 1000, row[2])} == set()
    assert len(set(seen)) > 1, "the readers saw only one build: nothing was tested"
    assert sorted(int(path.stem.split("-")[1]) for path in warehouse.folder.glob("build-*.duckdb")) == list(
        range(15, 20)
    )
