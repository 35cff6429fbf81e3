from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipelines.recon.formats.inspection import inspect
from pipelines.recon.formats.source import Source
from pipelines.recon.formats.stripe import parse_report
from pipelines.recon.settlement import SettlementReportError

COLUMNS = (
    "automatic_payout_id", "automatic_payout_effective_at", "balance_transaction_id", "created_utc", "currency",
    "gross", "fee", "net", "reporting_category", "source_id", "description", "payment_intent_id",
)  # fmt: skip


def row(number: int, gross: str, fee: str, net: str, category: str = "charge", **more: str) -> dict[str, str]:
    return {
        "automatic_payout_id": "po_7",
        "balance_transaction_id": f"txn_{number}",
        "created_utc": "2026-03-01 10:00:00",
        "currency": "eur",
        "gross": gross,
        "fee": fee,
        "net": net,
        "reporting_category": category,
        "source_id": f"ch_{number}",
        "description": '"Order, one"',
    } | more


def text(*rows: dict[str, str], columns: tuple[str, ...] = COLUMNS, separator: str = ",") -> bytes:
    lines = [separator.join(columns), *(separator.join(one.get(column, "") for column in columns) for one in rows)]
    return ("\r\n".join(lines) + "\r\n").encode()


CHARGE, REFUND = row(1, "100.00", "3.20", "96.80"), row(2, "-20.00", "0.00", "-20.00", "refund")


def look(content: bytes) -> dict[str, Any]:
    return inspect(Source.of_bytes(content, "payouts.csv"))


def test_a_report_is_counted_by_category_in_minor_units_of_major_amounts() -> None:
    found = look(text(CHARGE, REFUND, row(3, "1000", "30", "970", currency="jpy")))
    assert (found["format"], found["batch_ids"], found["foots"]) == ("stripe_payout_reconciliation", ["po_7"], True)
    assert [(one["type"], one["currency"], one["sum_minor"], one["fees_minor"]) for one in found["totals"]] == [
        ("charge", "EUR", 9680, 320),
        ("charge", "JPY", 970, 30),
        ("refund", "EUR", -2000, 0),
    ]
    assert [(one["currency"], one["paid_out_minor"]) for one in found["batches"]] == [("EUR", 7680), ("JPY", 970)]


def test_a_payout_that_is_not_its_lines_is_refused_at_its_line() -> None:
    payout = row(3, "-76.80", "0", "-76.80", "payout")
    assert look(text(CHARGE, REFUND, payout))["foots"]
    found = look(text(CHARGE, payout, REFUND | {"gross": "-20.01", "net": "-20.01"}))
    assert [(one["code"], one["line"]) for one in found["problems"]] == [("does_not_foot", 3)]
    assert found["problems"][0]["message"].endswith("difference -1")


@pytest.mark.parametrize(
    ("rows", "code", "line"),
    [
        ([CHARGE | {"net": "96.81"}], "line_does_not_foot", 2),
        ([CHARGE, REFUND, CHARGE], "transaction_twice", 4),
        ([CHARGE | {"currency": "eux"}], "field", 2),
        ([CHARGE | {"gross": "100.001"}], "field", 2),
        ([CHARGE | {"created_utc": "yesterday"}], "field", 2),
        ([CHARGE | {"balance_transaction_id": ""}], "field", 2),
        ([CHARGE | {"reporting_category": "magic"}], "unknown_type", 2),
    ],
)
def test_what_is_wrong_is_named_with_its_line(rows: list[dict[str, str]], code: str, line: int) -> None:
    found = look(text(*rows))
    assert [(one["code"], one["line"]) for one in found["problems"]] == [(code, line)]
    assert found["foots"] == (code == "unknown_type")


def test_reordered_columns_other_separators_and_decimal_commas_are_read() -> None:
    semicolons = text(CHARGE, REFUND, columns=tuple(reversed(COLUMNS)), separator=";").replace(b".", b",")
    quoted = text({name: f'"{value}"' if name in {"gross", "fee", "net"} else value for name, value in CHARGE.items()})
    for content in (semicolons, quoted.replace(b".", b",")):
        assert look(content)["foots"]
    titled = look(text(CHARGE).replace(b"balance_transaction_id", b"Balance Transaction ID", 1))
    assert titled["line_count"] == 1


def test_landing_gets_our_words_and_a_line_for_each_payout() -> None:
    report = parse_report(
        text(CHARGE | {"payment_intent_id": "pi_1"}, REFUND),
        name="r",
        gateway="sandbox",
        account="MeridianEU",
        report_date=date(2026, 3, 1),
    )
    charge, refund, payout = report.lines
    assert [line.type for line in report.lines] == ["Settled", "Refunded", "MerchantPayout"]
    assert (charge.psp_reference, charge.gross_minor, charge.commission_minor, charge.net_minor) == (
        "pi_1",
        10_000,
        320,
        9_680,
    )
    assert (refund.modification_reference, refund.net_minor, refund.batch_number) == ("ch_2", -2000, 7)
    assert (payout.net_minor, payout.gateway_account) == (-7680, "MeridianEU")
    assert charge.created_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    with pytest.raises(SettlementReportError, match="line 3: gross less fee"):
        parse_report(
            text(CHARGE, REFUND | {"net": "-19.00"}), name="r", gateway="g", account="a", report_date=date(2026, 3, 1)
        )
