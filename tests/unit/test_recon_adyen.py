import csv
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipelines.recon.formats import stripe
from pipelines.recon.formats.adyen import COLUMNS, parse_report
from pipelines.recon.formats.inspection import inspect
from pipelines.recon.formats.source import Source
from pipelines.recon.settlement import (
    JOURNAL_TYPES,
    MATCHED_TYPES,
    PAYOUT_TYPES,
    SettlementReport,
    SettlementReportError,
)
from warehouse.dbt_runner import PROJECT

REQUIRED = tuple(sorted(COLUMNS))
DEFAULTS = {
    "Merchant Account": "MeridianEU",
    "Psp Reference": "8516000000000001",
    "Merchant Reference": "att_eu_1",
    "Payment Method": "visa",
    "Creation Date": "2026-03-14 10:00:00",
    "TimeZone": "CET",
    "Batch Number": "7",
    "Booking Date": "2026-03-14 23:50:00",
    "Booking Date TimeZone": "CET",
    "Net Currency": "EUR",
}


def settled(gross: str = "10.00", fee: str = "0.30", net: str = "9.70", **more: str) -> dict[str, str]:
    amounts = {"Gross Currency": "EUR", "Gross Credit (GC)": gross, "Commission (NC)": fee, "Net Credit (NC)": net}
    return {"Type": "Settled", **amounts, **more}


def payout(net: str = "9.70", **more: str) -> dict[str, str]:
    return {"Type": "MerchantPayout", "Psp Reference": "", "Merchant Reference": "", "Net Debit (NC)": net, **more}


def text(*rows: dict[str, str], columns: tuple[str, ...] = REQUIRED) -> str:
    lines = [",".join(columns)]
    lines += [",".join({**DEFAULTS, **row}.get(column, "") for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def parse(content: str | bytes) -> SettlementReport:
    data = content.encode() if isinstance(content, str) else content
    return parse_report(data, name="report.csv", gateway="sandbox", report_date=date(2026, 3, 14))


def refusal(content: str | bytes) -> str:
    with pytest.raises(SettlementReportError) as caught:
        parse(content)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_line_becomes_minor_units_and_moments() -> None:
    line = parse(text(settled(), payout())).lines[0]
    assert (line.line_number, line.gross_minor, line.commission_minor, line.net_minor) == (2, 1000, 30, 970)
    assert line.created_at == datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    assert line.booked_at == datetime(2026, 3, 14, 22, 50, tzinfo=UTC)
    assert (line.batch_number, line.psp_reference, line.modification_reference) == (7, "8516000000000001", None)


def test_refunds_and_payouts_are_negative() -> None:
    refund = {"Type": "Refunded", "Gross Currency": "EUR", "Gross Debit (GC)": "4.00", "Net Debit (NC)": "4.00"}
    lines = parse(text(settled(), refund, payout("5.70"))).lines
    assert [line.gross_minor for line in lines] == [1000, -400, 0]
    assert [line.net_minor for line in lines] == [970, -400, -570]


@pytest.mark.parametrize(
    ("currency", "gross", "minor"), [("JPY", "1000", 1000), ("KWD", "1.234", 1234), ("EUR", "7", 700)]
)
def test_the_currency_says_how_many_digits_are_minor(currency: str, gross: str, minor: int) -> None:
    row = settled(gross, "", gross, **{"Gross Currency": currency, "Net Currency": currency})
    assert parse(text(row, payout(gross, **{"Net Currency": currency}))).lines[0].gross_minor == minor


def test_columns_are_found_by_name_in_any_order_among_others() -> None:
    reordered = ("Reserved4", *reversed(REQUIRED), "A new column")
    assert parse(text(settled(), payout(), columns=reordered)).lines == parse(text(settled(), payout())).lines


def test_blank_lines_a_preamble_and_a_byte_order_mark_may_stand_before_the_header() -> None:
    plain = parse(text(settled(), payout()))
    decorated = parse(("\ufeff\n,,,\nSettlement details,\n\n" + text(settled(), payout()) + "\n\n").encode())
    assert [line.net_minor for line in decorated.lines] == [line.net_minor for line in plain.lines]
    assert decorated.lines[0].line_number == 6
    assert decorated.line_ids("eu") == plain.line_ids("eu"), "where a line stands is not what it is"


def test_a_type_that_we_do_not_know_is_kept_and_named() -> None:
    odd = {"Type": "Zauberei", "Gross Currency": "EUR", "Gross Credit (GC)": "1.00", "Net Credit (NC)": "1.00"}
    report = parse(text(settled(), odd, payout("10.70")))
    assert report.unknown_types == ("Zauberei",)
    assert len(report.lines) == 3


def test_equal_lines_have_different_ids_and_the_same_line_has_the_same_id() -> None:
    report = parse(text(settled(), settled(), payout("19.40")))
    ids = report.line_ids("eu")
    assert len(set(ids)) == 3
    assert set(parse(text(settled(), payout())).line_ids("eu")[:1]) < set(ids)
    assert not set(report.line_ids("us")) & set(ids)


def test_a_batch_that_does_not_pay_out_its_lines_is_refused_whole() -> None:
    reason = refusal(text(settled(), payout("9.71")))
    assert "report.csv, line 3: batch 7 does not foot" in reason
    assert "line 3 pays out 971" in reason
    assert reason.endswith("difference -1")


def test_a_batch_without_a_payout_is_refused() -> None:
    assert "and there is no payout; difference 970" in refusal(text(settled()))


def test_each_batch_and_currency_must_foot_by_itself() -> None:
    second = {"Batch Number": "8"}
    assert "batch 7" in refusal(text(settled(), payout("9.60"), settled(**second), payout("9.80", **second)))


def test_a_line_whose_fees_do_not_explain_its_net_is_refused_with_its_number() -> None:
    reason = refusal(text(settled(), settled(net="9.60"), payout("19.30")))
    assert reason.startswith("report.csv, line 3: gross less fees is 970 but net is 960")
    assert reason.endswith("difference 10")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (settled(gross="10.005"), "line 2: Gross Credit (GC) cannot be read: 10.005 EUR is not a whole number"),
        (settled(gross="1000.00x"), "Gross Credit (GC) is '1000.00x', not an amount"),
        (settled(gross="NaN"), "Gross Credit (GC) is 'NaN', not an amount"),
        (settled(gross="1e3"), "Gross Credit (GC) is '1e3', not an amount"),
        (settled(**{"Gross Currency": ""}), "Gross Currency is missing"),
        (settled(**{"Net Currency": ""}), "Net Currency is empty"),
        (settled(**{"Net Currency": "EUX"}), "cannot be read: 'EUX' is not an ISO 4217 currency"),
        (settled(**{"Batch Number": "x"}), "Batch Number is 'x', not a batch number"),
        (settled(TimeZone="Moon"), "TimeZone is not a time zone that we know"),
        (settled(**{"Booking Date": "14.03.2026"}), "Booking Date is '14.03.2026', not a time"),
        (settled(Type=""), "Type is empty"),
        (settled(**{"Merchant Account": ""}), "Merchant Account is empty"),
    ],
)
def test_a_field_that_cannot_be_read_is_named_with_its_line(row: dict[str, str], reason: str) -> None:
    assert reason in refusal(text(row, payout()))


def test_a_header_that_lacks_or_repeats_a_column_is_refused() -> None:
    short = tuple(column for column in REQUIRED if column not in {"Gross Debit (GC)", "Net Currency"})
    assert "line 1: the header lacks Gross Debit (GC), Net Currency" in refusal(text(settled(), columns=short))
    assert "the header repeats Net Credit (NC)" in refusal(text(settled(), columns=(*REQUIRED, "Net Credit (NC)")))


@pytest.mark.parametrize("content", ["", "\n\n", "hello\nworld\n", "<html><body>404</body></html>"])
def test_a_file_without_a_header_is_refused(content: str) -> None:
    assert "report.csv: no header" in refusal(content)


def test_rows_of_another_width_and_broken_quotes_are_refused() -> None:
    assert f"line 2: 2 fields, but the header has {len(REQUIRED)}" in refusal(text() + "a,b\n")
    assert "not CSV" in refusal(text() + '"a"b,"c\n')


def test_a_report_with_a_header_and_no_lines_is_empty() -> None:
    assert parse(text()).lines == ()


def look(content: str | bytes) -> dict[str, Any]:
    return inspect(Source.of_bytes(content.encode() if isinstance(content, str) else content, "report.csv"))


def journal(kind: str, net: str, **more: str) -> dict[str, str]:
    side = "Net Debit (NC)" if net.startswith("-") else "Net Credit (NC)"
    return {"Type": kind, side: net.lstrip("-"), **more}


def test_inspection_counts_and_sums_each_type_and_says_what_each_batch_pays_out() -> None:
    found = look(text(settled(), settled(**{"Modification Reference": "M2"}), payout("19.40")))
    assert (found["format"], found["account"], found["batch_ids"]) == ("adyen_settlement_detail", "MeridianEU", ["7"])
    assert found["totals"] == [
        {"type": "MerchantPayout", "currency": "EUR", "count": 1, "sum_minor": -1940, "fees_minor": 0},
        {"type": "Settled", "currency": "EUR", "count": 2, "sum_minor": 1940, "fees_minor": 60},
    ]
    assert found["gross_totals"] == [{"type": "Settled", "currency": "EUR", "count": 2, "sum_minor": 2000}]
    assert (found["line_count"], found["foots"], found["problems"]) == (3, True, [])
    assert found["batches"][0]["paid_out_minor"] == 1940


KNOWN = (
    "Settled", "Refunded", "Chargeback", "SecondChargeback", "ChargebackReversed", "RefundedReversed", "Fee",
    "MiscCosts",
    "MerchantPayout", "DepositCorrection", "InvoiceDeduction", "MatchedStatement", "ManualCorrected", "Balancetransfer",
)  # fmt: skip


def test_every_journal_type_is_known_and_another_one_is_named_at_each_of_its_lines() -> None:
    known = look(text(*(journal(kind, "1.00") for kind in KNOWN), payout("14.00")))
    assert (known["foots"], known["problems"]) == (True, [])
    odd = look(text(settled(), journal("Zauberei", "1.00"), journal("Zauberei", "-1.00"), payout()))
    assert [(one["code"], one["severity"], one["line"]) for one in odd["problems"]] == [
        ("unknown_type", "warning", 3),
        ("unknown_type", "warning", 4),
    ]
    assert odd["foots"]


def test_a_chargeback_with_its_fee_foots_and_balances_that_are_carried_over_are_shown() -> None:
    chargeback = {
        "Type": "Chargeback",
        "Gross Currency": "EUR",
        "Gross Debit (GC)": "349.99",
        "Net Debit (NC)": "357.49",
    }
    rows = [
        chargeback | {"Net Debit (NC)": "357.49", "Markup (NC)": "7.50"},
        journal("Balancetransfer", "400.00", **{"Modification Merchant Reference": "from batch 6"}),
        journal("Balancetransfer", "-42.51", **{"Modification Merchant Reference": "to batch 8"}),
    ]
    found = look(text(*rows))
    assert found["foots"], found["problems"]
    assert (found["opening_minor"], found["closing_minor"]) == (40_000, 4_251)
    assert not look(text(rows[0] | {"Markup (NC)": "7.00"}, *rows[1:]))["foots"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_decimal_commas_are_read(separator: str) -> None:
    content = text(settled(), payout()).replace(",", separator).replace(".", ",")
    found = look(content.replace("\n", "\r\n"))
    assert (found["foots"], found["separator"], found["totals"][1]["sum_minor"]) == (True, separator, 970)


def test_points_and_commas_for_decimals_in_one_file_are_refused_where_they_meet() -> None:
    found = look(text(settled(), payout()).replace(",", ";").replace("9.70", "9,70", 1))
    assert (found["problems"][0]["line"], found["foots"]) == (2, False)
    assert "before it decimals stood behind" in found["problems"][0]["message"]


def test_an_older_version_lacks_columns() -> None:
    old = tuple(column for column in REQUIRED if "Booking" not in column and column not in {"TimeZone", "Markup (NC)"})
    found = look(text(settled(), payout(), columns=old))
    assert (found["foots"], found["version"]) == (True, "with payment method variants")
    assert parse(text(settled(), payout(), columns=old)).lines[0].booked_at == datetime(2026, 3, 14, 10, tzinfo=UTC)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_are_recognised(encoding: str) -> None:
    content = text(settled(**{"Merchant Reference": "Größe-1"}), payout()).encode(encoding)
    assert look(content)["foots"]
    assert parse(content).lines[0].merchant_reference == "Größe-1"


def test_quoted_fields_may_hold_separators_and_line_ends() -> None:
    row = settled(**{"Merchant Reference": '"a, ""b""\nc"'})
    report = parse(text(row, payout()))
    assert report.lines[0].merchant_reference == 'a, "b"\nc'
    assert [line.line_number for line in report.lines] == [3, 4]


@pytest.mark.parametrize(("net", "problems"), [("8.70", []), ("8.00", ["exchange"])])
def test_an_exchange_that_its_rate_does_not_explain_is_named(net: str, problems: list[str]) -> None:
    row = settled(net=net, **{"Gross Currency": "USD", "Exchange Rate": "0.9"})
    found = look(text(row, payout(net)))
    assert [one["code"] for one in found["problems"]] == problems
    assert found["foots"]


def test_a_report_of_many_lines_that_lost_its_end_is_refused() -> None:
    whole = text(*[settled()] * 4000, payout("38800.00"))
    assert look(whole)["foots"]
    cut = look(whole[: len(whole) * 2 // 3])
    assert not cut["foots"]
    assert cut["problems"][-1]["line"] > 2000


def test_letters_of_the_header_and_times_without_seconds_may_differ() -> None:
    content = text(settled(**{"Creation Date": "2026-03-14T10:00"}), payout())
    head, _, rest = content.partition("\n")
    found = parse(f"{head.upper().replace('NET CREDIT', 'Net  credit')}\n{rest}")
    assert found.lines[0].created_at == datetime(2026, 3, 14, 9, tzinfo=UTC)


def test_a_movement_that_stands_twice_is_named_but_lands() -> None:
    row = settled(**{"Modification Reference": "M1"})
    found = look(text(row, settled(**{"Modification Reference": "M2"}), row, payout("29.10")))
    assert [(one["code"], one["severity"], one["line"]) for one in found["problems"]] == [("line_twice", "warning", 4)]
    assert found["foots"]


def test_every_type_of_every_format_has_its_place_in_matching() -> None:
    with (PROJECT / "seeds/settlement_types.csv").open() as file:
        kinds = {row["type"]: row["kind"] for row in csv.DictReader(file)}
    assert set(kinds) == MATCHED_TYPES
    assert set(stripe.TYPES.values()) <= JOURNAL_TYPES
    assert {name for name, kind in kinds.items() if kind == "payout"} >= PAYOUT_TYPES
