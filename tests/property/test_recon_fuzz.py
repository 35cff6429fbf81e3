"""Whatever a file holds, it is inspected or refused in a sentence: never a traceback, and no cut goes unseen."""

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.recon.formats.inspection import UnknownFormatError, inspect
from pipelines.recon.formats.source import Source
from tests.support.bank_files import camt, camt_entry, camt_statement, mt940

CAMT = camt(
    camt_statement(camt_entry("20.00"), camt_entry("-5.50"), closing="114.50", name="A", sequence=1),
    camt_statement(camt_entry("0.00"), opening="114.50", name="B", sequence=2),
)
MT940 = mt940(
    ":61:2603020303D150,25NTRFINV-77//BANKREF1", ":86:EREF+1", ":61:260303RC1,NCHGX", closing="D260303EUR51,25"
)
ADYEN = b"""Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,\
Type,Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,\
Net Debit (NC),Net Credit (NC),Commission (NC),Batch Number
C,M,1,a,visa,2026-03-14 10:00:00,CET,Settled,2,EUR,,10.00,1,EUR,,9.70,0.30,7
C,M,3,b,visa,2026-03-14 10:00:00,CET,Refunded,4,EUR,1.00,,1,EUR,1.00,,,7
C,M,,,,2026-03-14 23:59:59,CET,MerchantPayout,TX,,,,,EUR,8.70,,,7
"""
STRIPE = b"""automatic_payout_id,balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category
po_1,txn_1,2026-03-01 10:00:00,eur,10.00,0.30,9.70,charge
po_1,txn_2,2026-03-01 10:00:00,eur,-9.70,0,-9.70,payout
"""
SAMPLES = (CAMT, MT940, ADYEN, STRIPE)
SPLINTERS = (
    b"", b"\0", b"-", b",", b".", b"\n", b"\r", b'"', b"<", b">", b"&", b"<!DOCTYPE x>", b"9" * 30, b"NaN", b"1e9",
    b"\xff", "٣".encode(), b"EUR", b"XXX", b"0000-00-00", b"9999-12-31", b"0001-01-01", b"</Ntry>", b":62F:", b":61:",
    b"{4:", b"-}", b"?", b"/", b";",
)  # fmt: skip


def check(content: bytes) -> None:
    """Inspection ends, is consistent with itself, and is the same each time."""
    try:
        found = inspect(Source.of_bytes(content, "file"))
    except UnknownFormatError:
        return
    errors = [one for one in found["problems"] if one["severity"] == "error"]
    assert found["error_count"] == len(errors)
    assert found["foots"] == (not errors)
    assert found["line_count"] == sum(one["count"] for one in found["totals"])
    assert all(group["foots"] is not False for group in found.get("batches", found.get("statements"))) or errors
    assert inspect(Source.of_bytes(content, "file")) == found


def test_the_samples_foot() -> None:
    assert [inspect(Source.of_bytes(sample, "file"))["foots"] for sample in SAMPLES] == [True] * 4


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_damaged_file_never_makes_a_traceback(sample: bytes, chance: random.Random, wounds: int) -> None:
    content = sample
    for _ in range(wounds):
        at = chance.randrange(len(content) + 1)
        content = content[:at] + chance.choice(SPLINTERS) + content[at + chance.randrange(12) :]
    check(content)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@example(b"")
@example(b"\xff\xfe")
@example(b"\xff\xfe\x00")
@example(b"<Document><BkToCstmrStmt/></Document>")
@example(b":20:\n:25:\n:62F:\n")
@example(b"Type,Batch Number\n")
@example(b'"Type,Batch Number')
def test_any_bytes_never_make_a_traceback(content: bytes) -> None:
    check(content)
    check(CAMT[:400] + content)
    check(MT940[:60] + content)
    check(ADYEN[: ADYEN.index(b"\n") + 1] + content)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from((CAMT, MT940, ADYEN)), st.data())
def test_a_file_that_lost_its_end_never_foots(sample: bytes, data: st.DataObject) -> None:
    last = {CAMT: b"</Document>", MT940: b"51,25", ADYEN: b",,,7"}[sample]
    length = data.draw(st.integers(sample.index(b"\n") if sample is ADYEN else 100, sample.rindex(last) - 1))
    content = sample[:length]
    try:
        found = inspect(Source.of_bytes(content, "file"))
    except UnknownFormatError:
        return
    assert not found["foots"] or found["line_count"] == 0, content[-80:]
