import pytest

from web.payouts.domain import PayoutStatus
from web.payouts.pain002 import File, Report, StatusReportError, Told, read

REPORT = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt>
<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>one</OrgnlEndToEndId><TxSts>RJCT</TxSts>
<StsRsnInf><Rsn><Prtry>Konto zu</Prtry></Rsn></StsRsnInf></TxInfAndSts>
<TxInfAndSts><OrgnlEndToEndId>two</OrgnlEndToEndId><TxSts>ACCC</TxSts></TxInfAndSts>
<TxInfAndSts><OrgnlEndToEndId>three</OrgnlEndToEndId><TxSts>PDNG</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
</CstmrPmtStsRpt></Document>"""


def test_each_transfer_has_its_end_or_waits() -> None:
    told = (
        Told("one", PayoutStatus.FAILED, "bank_konto_zu"),
        Told("two", PayoutStatus.PAID, None),
        Told("three", None, None),
    )
    assert read(REPORT.encode("utf-8-sig")) == Report(told)


GROUP = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<OrgnlGrpInfAndSts><OrgnlMsgId> 0abc </OrgnlMsgId><GrpSts>{group}</GrpSts>{reason}</OrgnlGrpInfAndSts>{more}
</CstmrPmtStsRpt></Document>"""
REASON = "<StsRsnInf><Rsn><Cd>FF01</Cd></Rsn></StsRsnInf>"
ONE = """<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>one</OrgnlEndToEndId><TxSts>{}</TxSts></TxInfAndSts>
</OrgnlPmtInfAndSts>"""


def group(status: str, more: str = "", reason: str = REASON) -> bytes:
    return GROUP.format(group=status, reason=reason, more=more).encode()


def test_a_file_that_is_rejected_whole_names_itself_and_why() -> None:
    assert read(group("RJCT")) == Report((), File("0abc", is_rejected=True, reason="bank_ff01"))
    both = read(group("RJCT", ONE.format("RJCT")))
    assert (len(both.transfers), both.file) == (1, File("0abc", is_rejected=True, reason="bank_ff01"))
    by_information = f"<OrgnlPmtInfAndSts><PmtInfSts>RJCT</PmtInfSts>{REASON}</OrgnlPmtInfAndSts>"
    said = GROUP.replace("<GrpSts>{group}</GrpSts>{reason}", "").format(more=by_information)
    assert read(said.encode()).file == File("0abc", is_rejected=True, reason="bank_ff01")
    assert read(group("ACTC", reason="")) == Report((), File("0abc", is_rejected=False, reason=None))
    assert read(group("PART", ONE.format("ACSC"))).file is None


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (group("PART"), "does not say which"),
        (group("ACSC"), "names no single transfer"),
        (group("RJCT", ONE.format("ACSC")), "says of a transfer in it"),
        (group("RJCT").replace(b"OrgnlMsgId", b"OrgnlOther"), "names no single transfer"),
    ],
)
def test_what_a_group_status_leaves_open_is_refused_in_a_sentence(document: bytes, why: str) -> None:
    with pytest.raises(StatusReportError, match=why):
        read(document)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a/>",
        REPORT.encode("utf-16"),
        REPORT.replace("PDNG", "WHAT").encode(),
        REPORT.replace("pain.002", "pain.001").encode(),
        REPORT.replace("TxInfAndSts", "TxOther").encode(),
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + REPORT.encode(),
    ],
)
def test_what_cannot_be_read_concludes_nothing(document: bytes) -> None:
    with pytest.raises(StatusReportError):
        read(document)
