"""Reports on the books: balances, exchange, suspense, merchants, and the entries under them."""

from typing import Final

from warehouse.reports.model import Column, Drill, Kind, Report, money

_CURRENCY = Column("currency", "Currency", Kind.TEXT)
_LEDGER_ACCOUNT = Column("account", "Account", Kind.TEXT)
_ENTRIES = "intermediate.int_journal_entries"
_WAITING = "'suspense', 'disputes', 'write_offs', 'settlement_adjustments', 'settlement_groups'"
_ROLL = """coalesce(sum(amount_minor) FILTER (WHERE accounting_date < $since), 0)::bigint AS opening_minor,
           coalesce(sum(greatest(amount_minor, 0)) FILTER (WHERE accounting_date >= $since), 0)::bigint AS debit_minor,
           coalesce(-sum(least(amount_minor, 0)) FILTER (WHERE accounting_date >= $since), 0)::bigint AS credit_minor,
           sum(amount_minor)::bigint AS closing_minor"""


_JOURNALS = Report(
    "journal-entries",
    "Journal entries",
    "Entries of the books; a debit is positive.",
    (
        Column("accounting_date", "Booked on", Kind.DATE), Column("month", "Month", Kind.TEXT),
        Column("journal_id", "Journal", Kind.ID), Column("kind", "Kind", Kind.TEXT),
        Column("source_id", "Source", Kind.ID), Column("merchant_id", "Merchant", Kind.ID), _LEDGER_ACCOUNT, _CURRENCY,
        *money(("amount_minor", "Amount")),
    ),
    f"""
    SELECT accounting_date, strftime(accounting_date, '%Y-%m') AS month, journal_id, kind, source_id, merchant_id,
           account, currency, amount_minor
      FROM {_ENTRIES} WHERE livemode = $livemode AND accounting_date <= $until
     ORDER BY accounting_date, journal_id, line""",  # noqa: S608
    is_detail=True,
)  # fmt: skip
_TRIAL = Report(
    "trial-balance",
    "Trial balance",
    "Every account's balance: before the first day, what moved, and after. Per currency they sum to zero.",
    (
        _LEDGER_ACCOUNT, _CURRENCY,
        *money(("opening_minor", "Opening"), ("debit_minor", "Debit"), ("credit_minor", "Credit"),
                ("closing_minor", "Closing")),
    ),
    f"""
    SELECT account, currency,
           {_ROLL}
      FROM {_ENTRIES} WHERE livemode = $livemode AND accounting_date <= $until GROUP BY 1, 2 ORDER BY 1, 2""",  # noqa: S608
    Drill("journal-entries", ("account", "currency")),
)  # fmt: skip
_SUSPENSE = Report(
    "suspense",
    "Suspense roll-forward",
    "What waits for a name, month by month: opening + in − out = closing; write-offs are what was given up.",  # noqa: RUF001
    (
        Column("month", "Month", Kind.TEXT), _LEDGER_ACCOUNT, _CURRENCY,
        *money(("opening_minor", "Opening"), ("debit_minor", "In"), ("credit_minor", "Out"),
                ("closing_minor", "Closing")),
    ),
    f"""
    WITH moved AS (
      SELECT strftime(accounting_date, '%Y-%m') AS month, account, currency,
             coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0)::bigint AS debit_minor,
             coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0)::bigint AS credit_minor
        FROM {_ENTRIES} WHERE livemode = $livemode AND accounting_date <= $until
         AND split_part(account, ':', 1) IN ({_WAITING})
       GROUP BY 1, 2, 3
    ), rolled AS (
      SELECT *, sum(debit_minor - credit_minor) OVER months AS closing_minor FROM moved
      WINDOW months AS (PARTITION BY account, currency ORDER BY month)
    )
    SELECT month, account, currency, (closing_minor - debit_minor + credit_minor)::bigint AS opening_minor, debit_minor,
           credit_minor, closing_minor::bigint AS closing_minor
      FROM rolled WHERE month >= strftime(CAST($since AS date), '%Y-%m') ORDER BY 1, 2, 3""",  # noqa: S608
    Drill("journal-entries", ("month", "account", "currency")),
)  # fmt: skip
_FX = Report(
    "fx",
    "Exchange gains and losses",
    "Realised by the market, taken by gateways beyond the reference rate, not realised yet. A gain is a credit: minus.",
    (
        Column("month", "Month", Kind.TEXT), _LEDGER_ACCOUNT, Column("what", "What", Kind.TEXT), _CURRENCY,
        Column("entry_count", "Entries", Kind.COUNT), *money(("amount_minor", "Amount")),
    ),
    f"""
    SELECT strftime(accounting_date, '%Y-%m') AS month, account,
           CASE split_part(account, ':', 1) WHEN 'fx_position' THEN 'position' WHEN 'revaluation' THEN 'revaluation'
             ELSE split_part(account, ':', 2) END AS what,
           currency, count(*) AS entry_count, sum(amount_minor)::bigint AS amount_minor
      FROM {_ENTRIES}
     WHERE livemode = $livemode AND accounting_date BETWEEN $since AND $until
       AND split_part(account, ':', 1) IN ('fx_gain_loss', 'fx_position', 'revaluation')
     GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4""",  # noqa: S608
    Drill("journal-entries", ("month", "account", "currency")),
)  # fmt: skip
MERCHANT_STATEMENT: Final = "merchant-statement"
MERCHANT_LINES: Final = "merchant-lines"
# What we owe a merchant, in its sense: a credit of the books is positive here.
_OWED = "(starts_with(account, 'merchant_payable_') OR account = 'merchant_reserve')"
_BALANCE = """CASE account WHEN 'merchant_payable_pending' THEN 'Not yet available'
             WHEN 'merchant_payable_available' THEN 'Available for payout'
             WHEN 'merchant_reserve' THEN 'Held in reserve' ELSE account END AS balance"""
_MERCHANT_LINES = Report(
    MERCHANT_LINES,
    "Lines of merchant statements",
    "What moved what we owe a merchant, more being positive: of each balance they add up to closing less opening.",
    (
        Column("merchant_id", "Merchant", Kind.ID), Column("accounting_date", "Booked on", Kind.DATE),
        Column("kind", "Kind", Kind.TEXT), Column("source_id", "Source", Kind.ID),
        Column("journal_id", "Journal", Kind.ID), Column("balance", "Balance", Kind.TEXT), _LEDGER_ACCOUNT, _CURRENCY,
        *money(("amount_minor", "Amount")),
    ),
    f"""
    SELECT merchant_id, accounting_date, kind, source_id, journal_id, {_BALANCE}, account, currency,
           -amount_minor AS amount_minor
      FROM {_ENTRIES}
     WHERE livemode = $livemode AND accounting_date BETWEEN $since AND $until AND {_OWED}
     ORDER BY merchant_id, accounting_date, journal_id, line""",  # noqa: S608
    is_detail=True,
)  # fmt: skip
_MERCHANTS = Report(
    MERCHANT_STATEMENT,
    "Merchant statements",
    "What we owe each merchant: what came, what became available at settlement, what is left. A minus is owed to us.",
    (
        Column("merchant_id", "Merchant", Kind.ID), Column("balance", "Balance", Kind.TEXT), _LEDGER_ACCOUNT, _CURRENCY,
        *money(("opening_minor", "Owed before"), ("added_minor", "Came in"), ("taken_minor", "Went out"),
                ("closing_minor", "Owed at the end")),
    ),
    f"""
    SELECT merchant_id, {_BALANCE}, account, currency, (-opening_minor)::bigint AS opening_minor,
           credit_minor AS added_minor, debit_minor AS taken_minor, (-closing_minor)::bigint AS closing_minor
      FROM (
        SELECT merchant_id, account, currency,
           {_ROLL}
          FROM {_ENTRIES}
         WHERE livemode = $livemode AND accounting_date <= $until AND {_OWED}
         GROUP BY 1, 2, 3
      ) ORDER BY 1, 4, 3""",  # noqa: S608
    Drill(MERCHANT_LINES, ("merchant_id", "account", "currency")),
)  # fmt: skip
LEDGER_REPORTS: Final = (_FX, _SUSPENSE, _MERCHANTS, _MERCHANT_LINES, _TRIAL, _JOURNALS)
