"""Runs of reconciliation, one after the other: what is new, persists and is resolved; verdict, manifest, score."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.recon import manifest
from pipelines.recon.proof import check_run
from pipelines.recon.score import read_key, score
from pipelines.recon.second.build import check_build
from pipelines.recon.verdict import Verdict, verdict_of
from regions.vault import open_vault
from tests.support.warehouse import DAY, Bench, TradedDay, bench
from warehouse.build_record import BuildRecord

ONE = DAY + timedelta(days=1)
LATER = DAY + timedelta(days=12)


@dataclass
class Runs:
    """Three runs: errors planted in a report; a day later half of them corrected; and much later."""

    place: Bench
    key: list[dict[str, Any]]
    records: list[BuildRecord]

    def rows(self, run: int, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.place.warehouse.path(self.records[run].number)), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with bench(tmp_path_factory.mktemp("runs")) as place:
        day = TradedDay(place.region).trade(14)
        place.append(day.events)
        report, key = day.report(["amount", "duplicate", "chargeback"])
        place.land(report)
        records = []
        for on in (DAY, ONE, LATER):
            if on == ONE:
                place.land(day.report(["amount"])[0])
            inputs = place.inputs()
            with place.warehouse.lock():
                built = place.warehouse.build(on, inputs)
                records.append(place.warehouse.reconcile(built, inputs, {}))
        yield Runs(place, key, records)


def test_breaks_are_new_then_persist_and_are_resolved_once(runs: Runs) -> None:
    states = "SELECT state, class, first_seen_on, age_days, age_bucket, owner FROM rpt_recon_breaks ORDER BY ALL"
    assert [row[:2] for row in runs.rows(0, states)] == [("new", "amount"), ("new", "chargeback"), ("new", "duplicate")]
    assert runs.rows(1, states) == [
        ("persisting", "amount", DAY, 1, "0-1", "finance operations"),
        ("resolved", "chargeback", DAY, 1, "0-1", "disputes"),
        ("resolved", "duplicate", DAY, 1, "0-1", "finance operations"),
    ]
    assert runs.rows(2, states) == [("persisting", "amount", DAY, 12, "8-30", "finance operations")]
    ids = [runs.rows(run, "SELECT break_id FROM rpt_recon_breaks WHERE class = 'amount'") for run in range(3)]
    assert ids[0] == ids[1] == ids[2]


def test_a_dispute_matches_its_line_though_of_its_journal_nothing_else_tells(tmp_path: Path) -> None:
    with bench(tmp_path) as place:
        day = TradedDay(place.region)
        payments = [day.session("paid"), day.session("paid")]
        disputes = [day.dispute(payment) for payment in payments]
        place.ingest(day.events, 1)
        place.land(day.report()[0])
        place.build(DAY)
        known = len(day.events)
        day.items = []
        for one in disputes:
            day.charge_back(one)
        place.ingest(day.events[known:], 2)
        line, other = day.items
        day.items = [line, replace(other, dispute_id="another", attempt_reference="att-x")]
        place.land(day.report(batch_number=2)[0], ONE)
        place.build(ONE)
        record = place.warehouse.records()[-1]
        assert record.increment is not None
        assert record.increment.base is not None
        path = place.warehouse.path(record.number)
        assert check_build(path, place.region, ONE) == []
        with duckdb.connect(str(path), read_only=True) as connection:
            columns = "pass, settled_on, amount_minor, adjustment_minor"
            matches = f"SELECT {columns} FROM fct_recon_matches WHERE kind = 'chargeback'"
            assert connection.execute(matches).fetchall() == [("exact", ONE, line.amount_minor, 0)]
            breaks = connection.execute("SELECT class, amount_minor FROM fct_recon_breaks ORDER BY ALL").fetchall()
            assert breaks == [("chargeback", other.amount_minor), ("missing_at_gateway", -other.amount_minor)]
            summary = "SELECT sum(disputed_minor), sum(abs(unexplained_minor)) FROM rpt_recon_summary"
            assert connection.execute(summary).fetchone() == (-line.amount_minor - other.amount_minor, 0)


def test_each_run_is_compared_with_the_one_before(runs: Runs) -> None:
    assert [record.previous for record in runs.records] == [None, 1, 2]


def test_the_bridge_closes_and_the_verdict_says_so(runs: Runs) -> None:
    for run, record in enumerate(runs.records):
        bridge = runs.rows(run, "SELECT captured_minor, paid_out_minor, residual_minor FROM rpt_recon_bridge")
        assert [row[2] for row in bridge] == [0]
        assert min(bridge[0][:2]) > 0
        assert verdict_of(runs.place.warehouse.path(record.number)) == Verdict(())


def test_a_batch_with_something_left_over_makes_the_run_incomplete_and_says_where(runs: Runs, tmp_path: Path) -> None:
    copy = tmp_path / "build.duckdb"
    copy.write_bytes(runs.place.warehouse.path(1).read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE rpt_recon_bridge SET residual_minor = 7")
    assert verdict_of(copy).places == ("eu test sandbox MeridianEU batch 1 EUR: residual 7",)
    assert verdict_of(copy).name == "incomplete"


def test_a_manifest_is_signed_and_any_change_of_it_or_of_the_build_is_seen(runs: Runs, tmp_path: Path) -> None:
    env = {"VAULT_URI_EU": f"file://{tmp_path}/vault"}
    vault = open_vault(env["VAULT_URI_EU"])
    vault.create_kek()
    warehouse, record = runs.place.warehouse, runs.records[1]
    build = warehouse.path(record.number)
    content = manifest.contents(build, record, Verdict(()))
    signed = manifest.sign(content, vault)
    manifest.keep(manifest.manifest_path(warehouse.folder, record.number), signed)
    assert check_run(warehouse, record.number, env).failed == []
    assert content["outputs"]["fct_recon_breaks"]["row_count"] == 1
    assert content["compared_with"] == 1
    altered = json.loads(json.dumps(signed).replace('"complete"', '"incomplete"'))
    with pytest.raises(manifest.ManifestRefusedError, match="altered"):
        manifest.check(altered, vault.public_key())
    copy = tmp_path / "build.duckdb"
    copy.write_bytes(build.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE fct_recon_breaks SET amount_minor = amount_minor + 1")
    assert manifest.differences(content, copy, record) == ["fct_recon_breaks"]


def test_precision_and_recall_are_told_against_an_answer_key(runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"data": [{"answer_key": runs.key}]}))
    build = runs.place.warehouse.path(1)
    found = score(build, DAY, read_key(path))
    assert (found.precision, found.recall) == (1.0, 1.0)
    assert found.sentences() == [
        "answer key: 3 planted, 3 found, 3 of them right: precision 1.000, recall 1.000",
    ]
    less = score(build, DAY, [*runs.key[:1], {"class": "fee", "psp_reference": "r"}])
    assert (round(less.precision, 3), less.recall) == (0.333, 0.5)
    assert [line.split()[:3] for line in less.sentences()[1:]] == [
        ["missed:", "fee", "of"],
        ["invented:", "chargeback", "of"],
        ["invented:", "duplicate", "of"],
    ]
