import pytest

from web.payouts.domain import PayoutStatus
from web.payouts.pain002 import StatusReportError, Told, read

REPORT = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt>
<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>one</OrgnlEndToEndId><TxSts>RJCT</TxSts>
<StsRsnInf><Rsn><Prtry>Konto zu</Prtry></Rsn></StsRsnInf></TxInfAndSts>
<TxInfAndSts><OrgnlEndToEndId>two</OrgnlEndToEndId><TxSts>ACCC</TxSts></TxInfAndSts>
<TxInfAndSts><OrgnlEndToEndId>three</OrgnlEndToEndId><TxSts>PDNG</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
</CstmrPmtStsRpt></Document>"""


def test_each_transfer_has_its_end_or_waits() -> None:
    assert read(REPORT.encode("utf-8-sig")) == [
        Told("one", PayoutStatus.FAILED, "bank_konto_zu"),
        Told("two", PayoutStatus.PAID, None),
        Told("three", None, None),
    ]


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
