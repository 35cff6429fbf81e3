"""Files for other ledgers keep each program's documented rules, column by column, or are not written."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from regions.errors import UsageError
from regions.ids import new_id
from warehouse.reports import erp
from warehouse.reports.erp_rules import RULES, check

ACCOUNTS = ("gateway_clearing:sandbox", "bank_clearing:sandbox:paid_out", "merchant_payable_pending")
CHART = {name: str(600 + number) for number, name in enumerate(ACCOUNTS)}


def journal(
    amounts: tuple[int, ...] = (1000, -250, -750), currency: str = "EUR", line_account: str | None = None
) -> list[dict[str, Any]]:
    journal_id, source = new_id("journal", "eu"), new_id("payment", "eu")
    return [
        {
            "journal_id": journal_id, "line": line, "kind": "payment", "source_id": source,
            "merchant_id": new_id("merchant", "eu"), "account": line_account or ACCOUNTS[line - 1],
            "currency": currency, "amount_minor": amount, "accounting_date": date(2026, 3, 14),
        }
        for line, amount in enumerate(amounts, start=1)
    ]  # fmt: skip


@pytest.mark.parametrize("layout", erp.LAYOUTS)
def test_every_layout_has_rules_and_its_files_keep_them(layout: str) -> None:
    rows = journal() + journal((5, -2, -3), "JPY") + journal((1, -3, 2), "KWD")
    read = list(csv.reader(io.StringIO(erp.to_files(rows, layout, CHART)[0])))
    assert set(RULES[layout].columns) <= set(read[0])
    check(layout, read[0], read[1:])  # as another program reads it
    assert len(read) == 1 + len(rows)


def test_journals_stay_apart_in_what_has_room_for_a_part_of_their_id() -> None:
    rows = [row for _ in range(50) for row in journal()]
    read = list(csv.DictReader(io.StringIO(erp.to_files(rows, "quickbooks")[0])))
    assert len({row["*JournalNo"] for row in read}) == 50


def test_a_ledger_that_wants_codes_says_which_account_has_none() -> None:
    with pytest.raises(UsageError, match=r"line 2: \*AccountCode is 'gateway_clearing:sandbox', .* 1 to 10"):
        erp.to_files(journal(), "xero")


@pytest.mark.parametrize("layout", erp.LAYOUTS)
def test_a_journal_that_does_not_balance_is_not_written(layout: str) -> None:
    with pytest.raises(UsageError, match="does not balance"):
        erp.to_files(journal((1000, -250, -749)), layout, CHART)


@pytest.mark.parametrize(
    ("layout", "column", "value", "words"),
    [
        ("xero", "*Date", "2026-03-14", "dd/mm/yyyy"),
        ("xero", "*Amount", "1,000.00", "decimal point"),
        ("quickbooks", "*JournalNo", "j" * 22, "21 characters"),
        ("quickbooks", "*Debits", "-5", "positive amount"),
        ("netsuite", "Currency", "euro", "ISO 4217"),
        ("generic", "date", "14.03.2026", "YYYY-MM-DD"),
    ],
)
def test_each_rule_can_fail(layout: str, column: str, value: str, words: str) -> None:
    names, *rows = csv.reader(io.StringIO(erp.to_files(journal(), layout, CHART)[0]))
    rows[1][names.index(column)] = value
    with pytest.raises(UsageError, match=f"line 3: .*{words}"):
        check(layout, names, rows)


def test_lines_have_one_side() -> None:
    names, *rows = csv.reader(io.StringIO(erp.to_files(journal(), "netsuite")[0]))
    rows[0][names.index("Credit")] = "1"
    with pytest.raises(UsageError, match="line 2: a line has either a debit or a credit"):
        check("netsuite", names, rows)


def read(files: list[str]) -> list[list[dict[str, str]]]:
    return [list(csv.DictReader(io.StringIO(one))) for one in files]


def test_what_is_longer_than_xero_takes_becomes_files_of_whole_journals_that_each_balance() -> None:
    journals = [journal() for _ in range(250)]
    found = read(erp.to_files([row for one in journals for row in one], "xero", CHART))
    assert [len(rows) for rows in found] == [300, 300, 150]
    for rows in found:
        assert sum(Decimal(row["*Amount"]) for row in rows) == 0
    narrations = [{row["*Narration"] for row in rows} for rows in found]
    assert [len(each) for each in narrations] == [100, 100, 50]
    assert len(set.union(*narrations)) == len(journals)


def test_a_journal_is_in_one_file_though_its_lines_stand_apart_and_in_two_currencies() -> None:
    first = journal()
    dollars = [row | {"currency": "USD", "line": row["line"] + 3} for row in first]
    rows = [*first, *(row for _ in range(99) for row in journal()), *dollars]
    found = read(erp.to_files(rows, "xero", CHART))
    assert [len(each) for each in found] == [300, 3]
    assert {row["TrackingOption1"] for row in found[0]} == {"EUR", "USD"}


def test_a_journal_that_no_file_has_room_for_is_refused_in_a_sentence() -> None:
    long = journal((1,) * 300 + (-300,), line_account=ACCOUNTS[0])
    with pytest.raises(UsageError, match="has 301 lines, and a file at most 300"):
        erp.to_files(long, "xero", CHART)
    assert len(erp.to_files(long, "generic", CHART)) == 1
