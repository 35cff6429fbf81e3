from datetime import UTC, date, datetime

import pytest

from pipelines.recon.formats.adyen import REQUIRED, parse_report
from pipelines.recon.settlement import SettlementReport, SettlementReportError

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
    assert "report.csv, batch 7 does not foot" in reason
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
    short = tuple(column for column in REQUIRED if column not in {"Gross Debit (GC)", "Markup (NC)"})
    assert "line 1: the header lacks Gross Debit (GC), Markup (NC)" in refusal(text(settled(), columns=short))
    assert "the header repeats Net Credit (NC)" in refusal(text(settled(), columns=(*REQUIRED, "Net Credit (NC)")))


@pytest.mark.parametrize("content", ["", "\n\n", "hello\nworld\n", "<html><body>404</body></html>"])
def test_a_file_without_a_header_is_refused(content: str) -> None:
    assert "report.csv: no header" in refusal(content)


def test_rows_of_another_width_broken_quotes_and_other_encodings_are_refused() -> None:
    assert f"line 2: 2 fields, but the header has {len(REQUIRED)}" in refusal(text() + "a,b\n")
    assert "not CSV" in refusal(text() + '"a"b,"c\n')
    assert "not UTF-8 text" in refusal("Größe".encode("latin-1"))


def test_a_report_with_a_header_and_no_lines_is_empty() -> None:
    assert parse(text()).lines == ()
