"""Every query of the simulated bank. Payouts come from the settled batches: the bank has no books of its own."""

import json
from collections.abc import Sequence
from datetime import date

from psycopg.rows import class_row

from web.sandbox.bank.domain import Payout
from web.sandbox.bank.planting import Plant
from web.sandbox.database import Conn

_PAYOUTS = """
SELECT b.batch_number, b.business_date, l.net_currency AS currency, -l.net_minor AS amount_minor,
       split_part(l.modification_reference, ' ', 1) AS reference
  FROM settlement_batches AS b JOIN settlement_lines AS l ON l.batch_id = b.id
 WHERE b.account = %s AND l.type = 'MerchantPayout' ORDER BY b.batch_number, l.line
"""


def payouts(connection: Conn, account: str) -> list[Payout]:
    """Every payout of the account."""
    return connection.cursor(row_factory=class_row(Payout)).execute(_PAYOUTS, [account]).fetchall()


def plants(connection: Conn, account: str) -> dict[date, list[Plant]]:
    """The errors that were asked for, by day."""
    rows = connection.execute("SELECT statement_date, plants FROM bank_plants WHERE account = %s", [account]).fetchall()
    return {row["statement_date"]: row["plants"] for row in rows}


def keep_plants(connection: Conn, account: str, day: date, names: Sequence[Plant]) -> None:
    """Ask for errors in a day's statement, for good. The first wish counts."""
    connection.execute(
        "INSERT INTO bank_plants (account, statement_date, plants) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [account, day, json.dumps(list(names))],
    )
