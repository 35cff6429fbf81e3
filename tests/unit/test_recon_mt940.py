from datetime import date
from typing import Any

import pytest

from pipelines.recon.formats import mt940 as reader
from pipelines.recon.formats.inspection import inspect
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import Source
from pipelines.recon.statement import BankEntry
from tests.support.bank_files import IBAN, mt940


def look(content: bytes) -> dict[str, Any]:
    return inspect(Source.of_bytes(content, "statement.sta"))


def entries(content: bytes) -> list[BankEntry]:
    return list(reader.scan(Source.of_bytes(content, "statement.sta"), Findings()))


def test_signs_of_reversals_dates_around_new_year_and_references() -> None:
    content = mt940(
        ":61:2603020303D150,25NTRFINV-77//BANKREF1", "PAYMENT",
        ":86:166?00TRANSFER?20EREF+E2E-991?32JANE 4DOE?21TX000000007",
        ":61:2601011231RC10,NCHGNONREF", ":61:260303RD0,25NMSCX1", ":61:260303CR0,50NMSCX2",
        opening="C260301EUR1000,00", closing="C260303EUR840,50",
    )  # fmt: skip
    found = look(content)
    assert (found["format"], found["account"], found["statement_ids"]) == ("mt940", IBAN, ["STMT1"])
    assert (found["foots"], found["opening_minor"], found["closing_minor"]) == (True, 100_000, 84_050)
    first, second, third, fourth = entries(content)
    assert [entry.amount_minor for entry in (first, second, third, fourth)] == [-15_025, -1000, 25, 50]
    assert [entry.kind for entry in (first, second, third)] == ["DBIT", "DBIT-RVSL", "CRDT-RVSL"]
    assert (first.value_date, first.booking_date) == (date(2026, 3, 2), date(2026, 3, 3))
    assert second.booking_date == date(2025, 12, 31)
    assert (first.bank_reference, first.transaction_code, first.line_number) == ("BANKREF1", "NTRF", 5)
    assert set(first.references) == {"INV-77", "BANKREF1", "E2E-991", "TX000000007"}


def test_a_statement_that_does_not_foot_says_by_how_much_at_its_closing_balance() -> None:
    found = look(mt940(":61:260303C5,00NTRFX1", closing="C260303EUR104,99"))
    assert [(one["code"], one["line"]) for one in found["problems"]] == [("does_not_foot", 6)]
    assert found["problems"][0]["message"].endswith("difference 1")
    assert not found["foots"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (":61:260230C5,00NTRFX", "day is out of range"),
        (":61:260303X5,00NTRFX", "not what it should be"),
        (":61:260303C5.0.0NTRFX", "not an amount"),
        (":61:260303C5,005NTRFX", "5.005 EUR is not a whole number"),
        (":61:260303C5,00", "not what it should be"),
        (":61:", "not what it should be"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named_with_its_line(line: str, said: str) -> None:
    found = look(mt940(line))
    assert not found["foots"]
    assert any(said in one["message"] and one["line"] == 5 for one in found["problems"]), found["problems"]


def test_a_statement_that_is_cut_off_is_refused() -> None:
    content = mt940(":61:260303C5,00NTRFX1", closing="C260303EUR105,00")
    assert look(content)["foots"]
    assert [one["code"] for one in look(content[: content.index(b":62F:")])["problems"]] == ["no_balance"]
    assert not look(content[: content.index(b"105,00")])["foots"]
    enveloped = b"{1:F01BANKDEFFXXXX0000000000}{4:\r\n" + content.replace(b"\r\n-\r\n", b"\r\n-}")
    assert (look(enveloped)["foots"], look(enveloped)["version"]) == (True, "in a SWIFT envelope")
    assert "cut_off" in [one["code"] for one in look(enveloped.replace(b"-}", b""))["problems"]]


def test_pages_chain_and_each_foots() -> None:
    first = mt940(":61:260303C5,00NTRFX1", closing="C260303EUR105,00", number="62/1").replace(b":62F:", b":62M:")
    second = mt940(":61:260303C1,00NTRFX2", opening="C260303EUR105,00", closing="C260303EUR106,00", number="62/2")
    found = look(first + second.replace(b":60F:", b":60M:"))
    assert (found["foots"], found["opening_minor"], found["closing_minor"]) == (True, 10_000, 10_600)
    gap = look(first + second.replace(b"EUR105,00", b"EUR104,00").replace(b"EUR106,00", b"EUR105,00"))
    assert [one["code"] for one in gap["problems"]] == ["does_not_chain"]
    assert not gap["foots"]


@pytest.mark.parametrize(
    ("field", "codes"),
    [("1EUR5,00", []), ("2EUR5,00", ["summary"]), ("1EUR5,01", ["summary"]), ("x", ["field"])],
)
def test_the_sums_that_a_statement_gives_must_be_its_entries(field: str, codes: list[str]) -> None:
    content = mt940(":61:260303C5,00NTRFX1", closing="C260303EUR105,00")
    found = look(content.replace(b"\r\n-", f"\r\n:90C:{field}\r\n-".encode()))
    assert [one["code"] for one in found["problems"]] == codes


@pytest.mark.parametrize(
    ("currency", "text", "minor"), [("JPY", "500,", 500), ("KWD", "1,234", 1234), ("EUR", "0,00", 0)]
)
def test_the_currency_says_how_many_digits_are_minor(currency: str, text: str, minor: int) -> None:
    content = mt940(f":61:260303C{text}NTRFX1", opening=f"C260301{currency}0,", closing=f"C260303{currency}{text}")
    assert (look(content)["foots"], look(content)["closing_minor"]) == (True, minor)


def test_encodings_line_ends_and_an_account_with_its_currency_are_read() -> None:
    content = mt940(":61:260303C5,00NTRFX1", ":86:Überweisung", closing="C260303EUR105,00")
    for variant in (
        content.decode().encode("iso-8859-1"),
        b"\xef\xbb\xbf" + content,
        content.replace(b"\r\n", b"\n"),
        content.decode().encode("utf-16"),
        content.replace(IBAN.encode(), f"{IBAN}EUR".encode()),
        content.replace(IBAN.encode(), f"{IBAN} EUR".encode()),
    ):
        found = look(variant)
        assert (found["foots"], found["account"], found["closing_minor"]) == (True, IBAN, 10_500)


def test_thousands_of_entries_are_read() -> None:
    lines = [f":61:260303C1,00NTRFX{number}" for number in range(3000)]
    found = look(mt940(*lines, closing="C260303EUR3100,00"))
    assert (found["foots"], found["line_count"]) == (True, 3000)
