from typing import Any

import pytest

from pipelines.recon.formats import camt as reader
from pipelines.recon.formats.inspection import inspect
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import Source
from pipelines.recon.statement import BankEntry
from tests.support.bank_files import IBAN, amount, camt, camt_balance, camt_entry, camt_statement


def look(content: bytes) -> dict[str, Any]:
    return inspect(Source.of_bytes(content, "statement.xml"))


def entries(content: bytes) -> list[BankEntry]:
    findings = Findings()
    read = list(reader.scan(Source.of_bytes(content, "statement.xml"), findings))
    assert findings.errors() == []
    return read


def codes(content: bytes) -> list[tuple[str, int | None]]:
    found = look(content)
    assert found["foots"] == (found["error_count"] == 0)
    return [(problem["code"], problem["line"]) for problem in found["problems"]]


@pytest.mark.parametrize("version", range(2, 9))
def test_a_statement_of_every_version_foots(version: int) -> None:
    found = look(
        camt(
            camt_statement(
                camt_entry("20.00", version=version), camt_entry("-5.50", version=version), closing="114.50"
            ),
            version=version,
        )
    )
    assert (found["format"], found["version"]) == ("camt.053", f"camt.053.001.{version:02d}")
    assert (found["account"], found["statement_ids"], found["line_count"]) == (IBAN, ["S-1"], 2)
    assert (found["opening_minor"], found["closing_minor"], found["foots"]) == (10_000, 11_450, True)
    assert [(one["type"], one["count"], one["sum_minor"]) for one in found["totals"]] == [
        ("CRDT", 1, 2000),
        ("DBIT", 1, -550),
    ]


def test_a_statement_that_does_not_foot_says_by_how_much_at_its_closing_balance() -> None:
    found = look(camt(camt_statement(camt_entry("20.00"), closing="120.01")))
    assert not found["foots"]
    [problem] = found["problems"]
    assert (problem["code"], problem["line"]) == ("does_not_foot", 4)
    assert problem["message"].endswith("difference -1")
    assert found["statements"][0]["difference_minor"] == -1


def test_reversals_go_where_their_direction_says_and_are_a_type_of_their_own() -> None:
    content = camt(
        camt_statement(
            camt_entry("20.00"),
            camt_entry("-20.00", reversal=True),
            camt_entry("3.00", reversal=True),
            closing="103.00",
        )
    )
    assert [entry.kind for entry in entries(content)] == ["CRDT", "DBIT-RVSL", "CRDT-RVSL"]
    assert look(content)["foots"]


@pytest.mark.parametrize(("version", "status"), [(2, "PDNG"), (8, "PDNG"), (8, "INFO"), (4, "FUTR")])
def test_what_is_not_booked_is_not_in_the_balance(version: int, status: str) -> None:
    content = camt(
        camt_statement(
            camt_entry("1.00", version=version), camt_entry("9.00", version=version, status=status), closing="101.00"
        ),
        version=version,
    )
    found = look(content)
    assert found["foots"]
    assert found["statements"][0]["pending_count"] == 1
    assert [one["type"] for one in found["totals"]] == ["CRDT", f"CRDT {status}"]


def batch(total: str, *parts: str, count: int | None = None) -> str:
    details = "".join(
        f"<TxDtls><Refs><EndToEndId>E2E-{number}</EndToEndId></Refs>{amount(part)}<CdtDbtInd>CRDT</CdtDbtInd>"
        "<RltdPties><Dbtr><Nm>Jane 4Doe</Nm></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>batch TX{number:09d} of Jane DE02120300000000202051</Ustrd></RmtInf></TxDtls>\n"
        for number, part in enumerate(parts, 1)
    )
    head = f"<Btch><NbOfTxs>{len(parts) if count is None else count}</NbOfTxs>{amount(total, name='TtlAmt')}</Btch>"
    return f"<NtryDtls>{head}\n{details}</NtryDtls>"


def test_a_batch_entry_is_the_sum_of_its_transactions() -> None:
    content = camt(camt_statement(camt_entry("30.00", more=batch("30.00", "10.00", "20.00")), closing="130.00"))
    [entry] = entries(content)
    assert (entry.amount_minor, entry.detail_count, entry.transaction_code) == (3000, 2, "PMNT-RCDT-ESCT")
    assert set(entry.references) == {"E2E-1", "E2E-2", "TX000000001", "TX000000002"}, "neither a name nor an IBAN"


@pytest.mark.parametrize(
    ("details", "code"),
    [
        (batch("30.00", "10.00", "19.00"), "batch_sum"),
        (batch("31.00", "10.00", "20.00"), "batch_total"),
        (batch("30.00", "10.00", "20.00", count=3), "batch_count"),
    ],
)
def test_a_batch_that_is_not_its_transactions_is_refused(details: str, code: str) -> None:
    found = codes(camt(camt_statement(camt_entry("30.00", more=details), closing="130.00")))
    assert [name for name, _ in found] == [code]


def test_charges_explain_what_is_between_an_entry_and_its_transactions() -> None:
    charges = f"<Chrgs>{amount('0.50', name='TtlChrgsAndTaxAmt')}</Chrgs>"
    entry = camt_entry("29.50", more=charges + "<NtryDtls><TxDtls>" + amount("30.00") + "</TxDtls></NtryDtls>")
    assert look(camt(camt_statement(entry, closing="129.50")))["foots"]


@pytest.mark.parametrize(("rate", "problems"), [("0.90", []), ("1.1111", []), ("0.50", ["exchange"])])
def test_an_exchanged_amount_keeps_what_was_ordered_and_its_rate(rate: str, problems: list[str]) -> None:
    exchange = (
        f"<AmtDtls><InstdAmt>{amount('100.00', 'USD')}</InstdAmt><TxAmt>{amount('90.00')}<CcyXchg><SrcCcy>USD</SrcCcy>"
        f"<TrgtCcy>EUR</TrgtCcy><XchgRate>{rate}</XchgRate></CcyXchg></TxAmt></AmtDtls>"
    )
    content = camt(camt_statement(camt_entry("90.00", more=exchange), closing="190.00"))
    [entry] = entries(content)
    assert (entry.instructed_minor, entry.instructed_currency, entry.exchange_rate) == (10_000, "USD", rate)
    assert [code for code, _ in codes(content)] == problems
    assert look(content)["foots"]


def test_several_statements_chain_and_a_gap_between_neighbours_is_refused() -> None:
    first = camt_statement(camt_entry("5.00"), closing="105.00", name="S-1", sequence=1)
    assert look(camt(first, camt_statement(opening="105.00", name="S-2", sequence=2)))["foots"]
    gap = look(camt(first, camt_statement(opening="104.00", name="S-2", sequence=2)))
    assert [one["code"] for one in gap["problems"]] == ["does_not_chain"]
    assert not gap["foots"]
    later = look(camt(first, camt_statement(opening="104.00", name="S-9", sequence=9)))
    assert later["foots"], "others may stand between them"
    assert [one["severity"] for one in later["problems"]] == ["warning"]
    assert [code for code, _ in codes(camt(first, first))] == ["statement_twice"]


def test_a_page_opens_and_closes_with_interim_balances() -> None:
    pages = camt_balance("OPBD", "100.00") + camt_balance("ITBD", "105.00")
    assert look(camt(camt_statement(camt_entry("5.00"), balances=pages)))["closing_minor"] == 10_500
    middle = camt_balance("ITBD", "105.00") + camt_balance("ITBD", "110.00")
    assert look(camt(camt_statement(camt_entry("5.00"), balances=middle)))["foots"]
    overdrawn = camt_balance("PRCD", "-3.00") + camt_balance("CLBD", "2.00") + camt_balance("CLAV", "7.00")
    assert look(camt(camt_statement(camt_entry("5.00"), balances=overdrawn)))["opening_minor"] == -300


def test_a_statement_without_balances_is_refused_and_a_notification_needs_none() -> None:
    assert codes(camt(camt_statement(camt_entry("5.00"), balances="")))[0][0] == "no_balance"
    found = look(camt(camt_statement(camt_entry("5.00"), kind="Ntfctn"), message="054"))
    assert (found["format"], found["foots"], found["opening_minor"]) == ("camt.054", True, None)


@pytest.mark.parametrize(
    ("summary", "code"),
    [
        ("<TtlNtries><NbOfNtries>2</NbOfNtries><Sum>25.00</Sum></TtlNtries>", None),
        ("<TtlNtries><NbOfNtries>3</NbOfNtries></TtlNtries>", "summary"),
        ("<TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>20.01</Sum></TtlCdtNtries>", "summary"),
        ("<TtlDbtNtries><Sum>5.00</Sum></TtlDbtNtries>", None),
        ("<TtlNtries><TtlNetNtry><Amt>14.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries>", "summary"),
        ("<TtlNtries><TtlNetNtryAmt>15.00</TtlNetNtryAmt></TtlNtries>", None),
        ("<TtlNtries><NbOfNtries>two</NbOfNtries></TtlNtries>", "field"),
    ],
)
def test_the_summary_must_say_what_the_entries_say(summary: str, code: str | None) -> None:
    content = camt(
        camt_statement(
            camt_entry("20.00"), camt_entry("-5.00"), closing="115.00", head=f"<TxsSummry>{summary}</TxsSummry>"
        )
    )
    assert [name for name, _ in codes(content)] == ([code] if code else [])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"<Dt>2026-03-03</Dt></BookgDt>", b"<Dt>2026-02-30</Dt></BookgDt>", "BookgDt is '2026-02-30', not a date"),
        (b">20.00<", b">20.005<", "Amt cannot be read: 20.005 EUR is not a whole number"),
        (b">20.00<", b">-20.00<", "an amount has no sign"),
        (b">20.00<", b">20,00x<", "not an amount"),
        (b"</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>", b"</Amt><CdtDbtInd>CR</CdtDbtInd><Sts>", "CdtDbtInd is 'CR'"),
        (b'"EUR">20.00', b'"EUX">20.00', "'EUX' is not an ISO 4217 currency"),
    ],
)
def test_a_field_that_cannot_be_read_is_named_with_its_line(old: bytes, new: bytes, said: str) -> None:
    content = camt(camt_statement(camt_entry("20.00"), closing="120.00"))
    assert content.count(old) >= 1
    problem = look(content.replace(old, new, 1))["problems"]
    assert any(said in one["message"] and one["line"] for one in problem), problem


BOMB = b'<?xml version="1.0"?>\n<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">%s]>\n'


@pytest.mark.parametrize(
    "entity", [b"", b'<!ENTITY x SYSTEM "file:///etc/passwd">', b"<!ENTITY % p SYSTEM 'http://127.0.0.1/'>"]
)
def test_a_document_type_is_refused_before_any_entity_is_made(entity: bytes) -> None:
    content = BOMB.replace(b"%s", entity) + camt(camt_statement()).split(b"\n", 1)[1].replace(b"S-1", b"&b;")
    found = look(content)
    assert [(one["code"], one["line"]) for one in found["problems"]] == [("refused", 2)]
    assert (found["foots"], found["line_count"]) == (False, 0)


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    content = camt(camt_statement(camt_entry("20.00"), camt_entry("1.00"), closing="121.00"))
    end = content.index(b"</Document>")
    for length in range(200, end + 10, 97):
        found = look(content[:length])
        assert not found["foots"], length
        assert found["problems"], length


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16", "windows-1252"])
def test_every_declared_encoding_blank_lines_and_a_mark_are_read(encoding: str) -> None:
    entry = camt_entry("20.00", more="<AddtlNtryInf>Überweisung TX000000007EUR</AddtlNtryInf>")
    content = camt(camt_statement(entry, closing="120.00"), encoding=encoding)
    assert look(content)["foots"]
    assert "TX000000007EUR" in entries(content)[0].references
    if encoding == "UTF-8":
        assert look(b"\xef\xbb\xbf" + content)["foots"]
        assert look(b"\n\n" + content)["foots"]
        assert look(content.replace(b"\n", b"\r\n"))["foots"]


def test_prefixes_envelopes_and_unknown_versions_are_read() -> None:
    content = camt(camt_statement(closing="100.00"))
    prefixed = content.replace(b"<Document xmlns=", b"<x><Document xmlns=").replace(b"</Document>", b"</Document></x>")
    assert look(prefixed)["foots"]
    newer = look(content.replace(b"camt.053.001.08", b"camt.053.001.13"))
    assert (newer["foots"], newer["problems"][0]["code"]) == (True, "version")
    bare = look(content.replace(b' xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"', b""))
    assert (bare["format"], bare["version"], bare["foots"]) == ("camt.053", None, True)


def test_many_entries_of_a_currency_without_decimals_are_read_in_pieces() -> None:
    entry = camt_entry("3").replace('Ccy="EUR"', 'Ccy="JPY"')
    balances = camt_balance("OPBD", "0", currency="JPY") + camt_balance("CLBD", "15000", currency="JPY")
    entries = [*[entry] * 5000, "\n" * 70_000]
    found = look(camt(camt_statement(*entries, balances=balances).replace("<Ccy>EUR", "<Ccy>JPY")))
    assert (found["foots"], found["line_count"], found["closing_minor"]) == (True, 5000, 15_000)
