"""Journals for other ledgers: as CSV in the layouts that common ledgers import, and as ISO 20022 account statements.

ISO 20022 has no message for journals. What exists is the account report: a ledger account's opening and closing balance
and its entries, as camt.053.001.08, which treasury and reconciliation software reads.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from regions.errors import UsageError
from regions.money import Money
from warehouse.reports import erp_rules
from warehouse.reports.render import harmless

if TYPE_CHECKING:
    import duckdb

Row = Mapping[str, Any]
_ENTRIES = """
SELECT journal_id, line, kind, source_id, merchant_id, account, currency, amount_minor, accounting_date
  FROM intermediate.int_journal_entries
 WHERE livemode = $livemode AND accounting_date BETWEEN $since AND $until
 ORDER BY accounting_date, journal_id, line
"""
_OPENING = """
SELECT currency, coalesce(sum(amount_minor) FILTER (WHERE accounting_date < $since), 0)::bigint
  FROM intermediate.int_journal_entries
 WHERE livemode = $livemode AND account = $account AND accounting_date <= $until GROUP BY currency ORDER BY currency
"""
NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
JOURNAL_NO_LENGTH: Final = 21
ID_LENGTH: Final = 35  # what ISO 20022 gives a message's id


def entries(build: duckdb.DuckDBPyConnection, since: date, until: date, *, livemode: bool) -> list[dict[str, Any]]:
    """The entries of the books that were booked on these days."""
    cursor = build.execute(_ENTRIES, {"since": since, "until": until, "livemode": livemode})
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _amount(row: Row) -> str:
    return str(Money(row["amount_minor"], row["currency"]).to_decimal())


def _debit(row: Row) -> str:
    return _amount(row) if row["amount_minor"] > 0 else ""


def _credit(row: Row) -> str:
    return str(Money(-row["amount_minor"], row["currency"]).to_decimal()) if row["amount_minor"] < 0 else ""


def _memo(row: Row) -> str:
    return f"{row['kind']} {row['source_id']}"


def _long_memo(row: Row) -> str:
    return f"{_memo(row)}, journal {row['journal_id']}"


def _day(form: str) -> Callable[[Row], str]:
    return lambda row: row["accounting_date"].strftime(form)


def _number(row: Row) -> str:
    """The end of the journal's id: its random part, and what QuickBooks has room for."""
    return harmless(str(row["journal_id"])[-JOURNAL_NO_LENGTH:])


def _field(name: str) -> Callable[[Row], str]:
    return lambda row: harmless(str(row[name]))


# The columns that each program's import of journals names.
LAYOUTS: Final[Mapping[str, tuple[tuple[str, Callable[[Row], str]], ...]]] = MappingProxyType(
    {
        "generic": (
            ("journal", _field("journal_id")), ("line", _field("line")), ("date", _day("%Y-%m-%d")),
            ("account", _field("account")), ("currency", _field("currency")), ("debit", _debit), ("credit", _credit),
            ("kind", _field("kind")), ("source", _field("source_id")), ("merchant", _field("merchant_id")),
        ),
        "xero": (
            ("*Narration", _memo), ("*Date", _day("%d/%m/%Y")), ("Description", _field("journal_id")),
            ("*AccountCode", _field("account")), ("*TaxRate", lambda _: "No Tax"), ("*Amount", _amount),
            ("TrackingName1", lambda _: "Currency"), ("TrackingOption1", _field("currency")),
        ),
        "quickbooks": (
            ("*JournalNo", _number), ("*JournalDate", _day("%m/%d/%Y")),
            ("*AccountName", _field("account")),
            ("*Debits", _debit), ("*Credits", _credit), ("Description", _long_memo), ("Name", _field("merchant_id")),
            ("Currency", _field("currency")),
        ),
        "netsuite": (
            ("External ID", _field("journal_id")), ("Date", _day("%Y-%m-%d")), ("Currency", _field("currency")),
            ("Account", _field("account")), ("Debit", _debit), ("Credit", _credit), ("Memo", _memo),
        ),
    }
)  # fmt: skip


def to_files(rows: Sequence[Row], layout: str, chart: Mapping[str, str] | None = None) -> list[str]:
    """Journals in a layout; a decimal point, since programs read it. `chart`: what that program calls our accounts.

    One file, or as many as a program that limits their length needs, each with whole journals. Raises UsageError for an
    unknown layout, and for a file that the program would refuse, with the line and the rule.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"{layout!r} is no layout: use one of {', '.join((*LAYOUTS, 'camt053'))}")
    called = chart or {}
    named = [{**row, "account": called.get(row["account"], row["account"])} for row in rows]
    names = [name for name, _ in LAYOUTS[layout]]
    values = [[write(row) for _, write in LAYOUTS[layout]] for row in named]
    files = []
    erp_rules.check(layout, names, values)
    for members in erp_rules.split(layout, names, values):
        erp_rules.check(layout, names, members)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(names)
        writer.writerows(members)
        files.append(out.getvalue())
    return files


def to_camt053(
    build: duckdb.DuckDBPyConnection,
    account: str,
    since: date,
    until: date,
    *,
    livemode: bool,
    region: str,
    now: datetime,
) -> str:
    """A ledger account as camt.053.001.08, a statement for each currency. Raises UsageError if nothing was ever booked.

    A debit of ours raises what we hold, so it is a credit of the statement, as on a bank's own.
    """
    asked = {"account": account, "since": since, "until": until, "livemode": livemode}
    opening = build.execute(_OPENING, asked).fetchall()
    if not opening:
        raise UsageError(f"Nothing was booked on {account} until {until}.")
    rows = [row for row in entries(build, since, until, livemode=livemode) if row["account"] == account]
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    days = (since, until)
    statements = "".join(
        _statement(account, currency, amount, [row for row in rows if row["currency"] == currency], days, stamp)
        for currency, amount in opening
    )
    message = f"{region}-{since:%Y%m%d}-{until:%Y%m%d}-{now:%H%M%S}"[:ID_LENGTH]
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}"><BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>{message}</MsgId><CreDtTm>{stamp}</CreDtTm></GrpHdr>\n{statements}</BkToCstmrStmt></Document>\n"
    )


def _statement(
    account: str, currency: str, opening: int, rows: Sequence[Row], days: tuple[date, date], stamp: str
) -> str:
    since, until = days
    closing = opening + sum(row["amount_minor"] for row in rows)
    name = escape(account)
    head = (
        f"<Stmt><Id>{currency}-{since:%Y%m%d}-{until:%Y%m%d}</Id><CreDtTm>{stamp}</CreDtTm>"
        f"<Acct><Id><Othr><Id>{name[:34]}</Id></Othr></Id><Ccy>{currency}</Ccy><Nm>{name}</Nm></Acct>"
    )
    parts = [
        head,
        _balance("OPBD", opening, currency, since),
        _balance("CLBD", closing, currency, until),
    ]
    parts += [_entry(row, currency) for row in rows]
    return "\n".join(parts) + "</Stmt>\n"


def _entry(row: Row, currency: str) -> str:
    return (
        f"<Ntry>{_money(row['amount_minor'], currency)}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{row['accounting_date']}</Dt></BookgDt><AcctSvcrRef>{row['journal_id'][:ID_LENGTH]}</AcctSvcrRef>"
        f"<BkTxCd><Prtry><Cd>{escape(row['kind'])[:ID_LENGTH]}</Cd></Prtry></BkTxCd>"
        f"<AddtlNtryInf>{escape(_memo(row))}</AddtlNtryInf></Ntry>"
    )


def _balance(kind: str, amount_minor: int, currency: str, on: date) -> str:
    kind = f"<Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
    return f"<Bal>{kind}{_money(amount_minor, currency)}<Dt><Dt>{on}</Dt></Dt></Bal>"


def _money(amount_minor: int, currency: str) -> str:
    amount = Money(abs(amount_minor), currency).to_decimal()
    side = "DBIT" if amount_minor < 0 else "CRDT"
    return f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
