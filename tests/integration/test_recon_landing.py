import json
from pathlib import Path

import duckdb
import pytest

from pipelines.recon.formats import adyen
from pipelines.recon.landing import REPORTS, SETTLEMENT_LINES, land
from pipelines.recon.service import land_day
from pipelines.recon.settlement import SettlementReportError
from regions.errors import UsageError
from tests.support.warehouse import DAY, Bench, TradedDay, bench
from warehouse.lake import read_map


@pytest.fixture
def place(tmp_path: Path) -> Bench:
    with bench(tmp_path) as made:
        yield made  # type: ignore[misc]


def lines(place: Bench) -> list[tuple[object, ...]]:
    source = place.inputs().settlement_lines.duckdb_sql()
    return duckdb.sql(f"SELECT line_id, line_number, file_hash, lake_seq FROM {source} ORDER BY line_number").fetchall()


def test_the_same_content_lands_once(place: Bench) -> None:
    content, _ = TradedDay(place.region).trade(8).report()
    report = adyen.parse_report(content, name="r", gateway="sandbox", report_date=DAY)
    assert land(place.lake, place.region, report, {}, livemode=False).is_new
    first = lines(place)
    assert not land(place.lake, place.region, report, {}, livemode=False).is_new
    assert lines(place) == first
    assert len(first) == len(report.lines)


def test_a_newer_version_of_a_report_replaces_the_older_one(place: Bench) -> None:
    day = TradedDay(place.region).trade(8)
    first, _ = day.report()
    second, _ = day.trade(4).report()
    place.land(first)
    before = {row[0] for row in lines(place)}
    place.land(second)
    after = {row[0] for row in lines(place)}
    assert len(after) == second.count(b"\n") - 1
    assert len(before & after) >= len(before) - 2, "a line that says the same keeps its id; fee and payout changed"
    table = place.lake.ensure_table(SETTLEMENT_LINES)
    assert list(read_map(table, REPORTS)) == ["sandbox/2026-03-14"]


def test_a_report_that_does_not_foot_leaves_the_lake_as_it_is(place: Bench, tmp_path: Path) -> None:
    content, _ = TradedDay(place.region).trade(8).report()
    place.land(content)
    before = lines(place)
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"\n".join([line for line in content.splitlines() if b",Fee," not in line]))
    with pytest.raises(SettlementReportError, match=r"broken\.csv, line \d+: batch 1 does not foot"):
        land_day(place.lake, place.region, DAY, {"MERIDIAN_STATE": str(tmp_path)}, broken)
    assert lines(place) == before
    [page] = tmp_path.glob("quarantine/eu/settlement_lines/*/report.html")
    assert "does not foot" in page.read_text()
    assert (page.parent / "broken.csv").read_bytes() == broken.read_bytes()


def test_what_great_expectations_finds_is_named_with_its_line_and_column(place: Bench, tmp_path: Path) -> None:
    content, _ = TradedDay(place.region).trade(8).report()
    broken = tmp_path / "broken.csv"
    broken.write_bytes(content.replace(b",EUR,", b",euro,", 1))
    env = {"MERIDIAN_STATE": str(tmp_path)}
    with pytest.raises(UsageError, match=r"broken\.csv, line 2, column Gross Currency: `euro` must be a currency code"):
        land_day(place.lake, place.region, DAY, env, broken)
    [report] = tmp_path.glob("quarantine/eu/settlement_lines/*/report.json")
    assert json.loads(report.read_text())["findings"][0]["examples"] == [
        {"line": 2, "column": "Gross Currency", "value": "euro"}
    ]
    assert lines(place) == []


def test_another_regions_account_is_refused(place: Bench, tmp_path: Path) -> None:
    content, _ = TradedDay(place.region).trade(8).report()
    other = tmp_path / "other.csv"
    other.write_bytes(content.replace(b"MeridianEU", b"MeridianUS"))
    with pytest.raises(
        SettlementReportError, match="line 2: Merchant Account is 'MeridianUS', but region eu has MeridianEU"
    ):
        land_day(place.lake, place.region, DAY, {"MERIDIAN_STATE": str(tmp_path)}, other)


def test_a_file_that_is_not_there_is_named(place: Bench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.csv cannot be read: No such file"):
        land_day(place.lake, place.region, DAY, {}, tmp_path / "missing.csv")


STRIPE = b"""automatic_payout_id,balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id
po_7,txn_1,2026-03-14 10:00:00,eur,100.00,3.20,96.80,charge,ch_1
po_7,txn_2,2026-03-14 11:00:00,eur,-20.00,0.00,-20.00,refund,re_1
"""


def test_stripes_report_lands_as_the_regions_account_with_its_payout(place: Bench, tmp_path: Path) -> None:
    path = tmp_path / "payouts.csv"
    path.write_bytes(STRIPE)
    landed, report = land_day(place.lake, place.region, DAY, {"MERIDIAN_STATE": str(tmp_path)}, path)
    assert landed
    assert report
    assert (landed.line_count, report.unknown_types) == (3, ())
    source = place.inputs().settlement_lines.duckdb_sql()
    rows = duckdb.sql(
        f"SELECT gateway_account, type, batch_number, net_minor FROM {source} ORDER BY net_minor"
    ).fetchall()
    assert rows == [
        ("MeridianEU", "MerchantPayout", 7, -7680),
        ("MeridianEU", "Refunded", 7, -2000),
        ("MeridianEU", "Settled", 7, 9680),
    ]
    path.write_bytes(STRIPE.replace(b"txn_2", b"txn_1"))
    with pytest.raises(UsageError, match="balance_transaction_id: `txn_1` must stand once in the file"):
        land_day(place.lake, place.region, DAY, {"MERIDIAN_STATE": str(tmp_path)}, path)
    assert len(list(tmp_path.glob("quarantine/eu/*/*/report.html"))) == 1
