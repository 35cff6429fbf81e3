"""Reports on settlement: statement, bridge, breaks, chargebacks, and the lines under them."""

from typing import Final

from warehouse.reports.fees import FEE_REPORTS
from warehouse.reports.model import Column, Drill, Kind, Report, money

_ACCOUNT = (Column("gateway", "Gateway", Kind.TEXT), Column("gateway_account", "Account", Kind.TEXT))
_CURRENCY = Column("currency", "Currency", Kind.TEXT)


_STATEMENT = Report(
    "settlement-statement",
    "Settlement statement",
    "What each batch settled, kept and paid out. Nothing may be left over.",
    (
        Column("report_date", "Day", Kind.DATE),
        *_ACCOUNT,
        Column("batch_number", "Batch", Kind.COUNT),
        _CURRENCY,
        Column("line_count", "Lines", Kind.COUNT),
        *money(
            ("payments_minor", "Payments"), ("refunds_minor", "Refunds"), ("other_minor", "Other movements"),
            ("fees_minor", "Fees"), ("paid_out_minor", "Paid out"), ("left_minor", "Left over"),
        ),
    ),
    """
    SELECT min(report_date) AS report_date, gateway, gateway_account, batch_number, net_currency AS currency,
           count(*) AS line_count,
           coalesce(sum(net_minor + fees_minor) FILTER (WHERE kind = 'payment'), 0)::bigint AS payments_minor,
           coalesce(sum(net_minor + fees_minor) FILTER (WHERE kind = 'refund'), 0)::bigint AS refunds_minor,
           coalesce(sum(net_minor + fees_minor)
             FILTER (WHERE kind NOT IN ('payment', 'refund', 'fee', 'payout')), 0)::bigint AS other_minor,
           (coalesce(sum(fees_minor) FILTER (WHERE kind NOT IN ('fee', 'payout')), 0)
             - coalesce(sum(net_minor) FILTER (WHERE kind = 'fee'), 0))::bigint AS fees_minor,
           coalesce(-sum(net_minor) FILTER (WHERE kind = 'payout'), 0)::bigint AS paid_out_minor,
           sum(net_minor)::bigint AS left_minor
      FROM fct_settlement_lines
     WHERE livemode = $livemode AND report_date BETWEEN $since AND $until
     GROUP BY gateway, gateway_account, batch_number, net_currency ORDER BY 1, 2, 3, 4, 5""",
    Drill("settlement-lines", ("gateway_account", "batch_number", "currency")),
)  # fmt: skip
_LINES = Report(
    "settlement-lines",
    "Settlement lines",
    "Lines of gateways' reports as they came, with what each was matched with.",
    (
        Column("report_date", "Day", Kind.DATE), *_ACCOUNT, Column("batch_number", "Batch", Kind.COUNT),
        Column("line_number", "Line", Kind.COUNT), Column("type", "Type", Kind.TEXT),
        Column("psp_reference", "PSP reference", Kind.ID), Column("merchant_reference", "Our reference", Kind.ID),
        Column("item_id", "Matched with", Kind.ID), _CURRENCY,
        *money(("gross_minor", "Gross"), ("fees_minor", "Fees"), ("net_minor", "Net")),
        Column("line_id", "Line id", Kind.ID),
    ),
    """
    SELECT l.report_date, l.gateway, l.gateway_account, l.batch_number, l.line_number, l.type, l.psp_reference,
           l.merchant_reference, m.item_id, l.net_currency AS currency, l.gross_minor, l.fees_minor, l.net_minor,
           l.line_id
      FROM fct_settlement_lines AS l
      LEFT JOIN (SELECT * FROM fct_recon_matches WHERE line_id IS NOT NULL) AS m USING (line_id)
     WHERE l.livemode = $livemode AND l.report_date BETWEEN $since AND $until
     ORDER BY l.report_date, l.gateway_account, l.batch_number, l.line_number, l.line_id""",
    is_detail=True,
)  # fmt: skip
_BRIDGE = Report(
    "bridge",
    "Bridge from our books to the gateway's report",
    "Captured − refunded + timing + in transit + breaks = settled. The residual is zero, always.",  # noqa: RUF001
    (
        Column("report_date", "Day", Kind.DATE), *_ACCOUNT, _CURRENCY,
        *money(
            ("captured_minor", "Captured"), ("refunded_minor", "Refunded"), ("timing_minor", "Timing"),
            ("in_transit_minor", "In transit"), ("breaks_minor", "Breaks"), ("settled_minor", "Settled"),
            ("residual_minor", "Residual"), ("fees_minor", "Fees"), ("paid_out_minor", "Paid out"),
        ),
    ),
    """
    SELECT business_date AS report_date, gateway, gateway_account, currency, captured_minor, refunded_minor,
           timing_minor, in_transit_minor, breaks_minor, settled_minor, unexplained_minor AS residual_minor, fees_minor,
           payout_minor AS paid_out_minor
      FROM rpt_recon_summary WHERE livemode = $livemode AND business_date BETWEEN $since AND $until
     ORDER BY 1, 2, 3, 4""",
    Drill("settlement-lines", ("report_date", "gateway_account", "currency")),
)  # fmt: skip
_BATCH_BRIDGE = Report(
    "batch-bridge",
    "Bridge of each batch",
    "Opening + captured − refunded − disputed − fees ± exchange − paid out = closing, per batch and currency.",  # noqa: RUF001
    (
        *_ACCOUNT, Column("batch_number", "Batch", Kind.COUNT), _CURRENCY,
        *money(
            ("opening_minor", "Opening"), ("captured_minor", "Captured"), ("refunded_minor", "Refunded"),
            ("disputed_minor", "Disputed"), ("fees_minor", "Fees"), ("fx_minor", "Exchange"),
            ("adjustments_minor", "Adjustments"), ("breaks_minor", "Breaks"), ("reserve_minor", "Reserve"),
            ("corrections_minor", "Corrections"), ("paid_out_minor", "Paid out"), ("closing_minor", "Closing"),
            ("residual_minor", "Residual"),
        ),
    ),
    """
    SELECT b.gateway, b.gateway_account, b.batch_number, b.currency, opening_minor, captured_minor, refunded_minor,
           disputed_minor, b.fees_minor, fx_minor, adjustments_minor, breaks_minor, reserve_minor, corrections_minor,
           paid_out_minor, closing_minor, residual_minor
      FROM rpt_recon_bridge AS b
     WHERE b.livemode = $livemode AND (b.gateway_account, b.batch_number) IN (
       SELECT (gateway_account, batch_number) FROM fct_settlement_lines
        WHERE livemode = $livemode AND report_date BETWEEN $since AND $until)
     ORDER BY 1, 2, 3, 4""",
    Drill("settlement-lines", ("gateway_account", "batch_number", "currency")),
)  # fmt: skip
_AGE = """CASE WHEN date_diff('day', business_date, CAST($until AS date)) <= 1 THEN '0-1'
                WHEN date_diff('day', business_date, CAST($until AS date)) <= 7 THEN '2-7'
                WHEN date_diff('day', business_date, CAST($until AS date)) <= 30 THEN '8-30' ELSE '>30' END"""
_AGED = Report(
    "aged-breaks",
    "Breaks by class and age",
    "Every open break of the build, by class, currency and age on the last day asked for.",
    (
        Column("class", "Class", Kind.TEXT), _CURRENCY, Column("age_bucket", "Age in days", Kind.TEXT),
        Column("break_count", "Breaks", Kind.COUNT), *money(("amount_minor", "Amount")),
    ),
    f"""
    SELECT class, currency, {_AGE} AS age_bucket, count(*) AS break_count, sum(amount_minor)::bigint AS amount_minor
      FROM fct_recon_breaks WHERE livemode = $livemode AND business_date <= $until
     GROUP BY ALL ORDER BY class, currency, min(date_diff('day', business_date, CAST($until AS date)))""",  # noqa: S608
    Drill("breaks", ("class", "currency", "age_bucket")),
)  # fmt: skip
_BREAKS = Report(
    "breaks",
    "Breaks",
    "Breaks one by one.",
    (
        Column("break_id", "Break", Kind.ID), Column("business_date", "Day", Kind.DATE),
        Column("class", "Class", Kind.TEXT), Column("age_bucket", "Age in days", Kind.TEXT), *_ACCOUNT,
        Column("psp_reference", "PSP reference", Kind.ID), Column("payment_id", "Payment", Kind.ID), _CURRENCY,
        *money(("settled_minor", "Settled"), ("booked_minor", "Booked"), ("amount_minor", "Amount")),
    ),
    f"""
    SELECT break_id, business_date, class, {_AGE} AS age_bucket, gateway, gateway_account, psp_reference, payment_id,
           currency, settled_minor, booked_minor, amount_minor
      FROM fct_recon_breaks WHERE livemode = $livemode AND business_date <= $until ORDER BY business_date, break_id""",  # noqa: S608
    is_detail=True,
)  # fmt: skip
_CHARGEBACKS = Report(
    "chargebacks",
    "Chargebacks",
    "Lines by which a payer's bank took money back, or gave it back to us.",
    (
        Column("report_date", "Day", Kind.DATE), *_ACCOUNT, Column("type", "Type", Kind.TEXT),
        Column("psp_reference", "PSP reference", Kind.ID), Column("payment_id", "Payment", Kind.ID),
        Column("merchant_id", "Merchant", Kind.ID), _CURRENCY,
        *money(("gross_minor", "Amount"), ("fees_minor", "Fees")),
        Column("line_id", "Line id", Kind.ID),
    ),
    """
    SELECT l.report_date, l.gateway, l.gateway_account, l.type, l.psp_reference, p.payment_id, p.merchant_id,
           l.currency, l.gross_minor, l.fees_minor, l.line_id
      FROM fct_settlement_lines AS l
      LEFT JOIN fct_payments AS p ON p.gateway_reference = l.psp_reference AND p.gateway = l.gateway
     WHERE l.livemode = $livemode AND l.report_date BETWEEN $since AND $until
       AND (contains(lower(l.type), 'chargeback') OR contains(lower(l.kind), 'chargeback'))
     ORDER BY 1, l.line_id""",
)  # fmt: skip
SETTLEMENT_REPORTS: Final = (
    _STATEMENT, _BRIDGE, _BATCH_BRIDGE, _AGED, *FEE_REPORTS, _CHARGEBACKS, _LINES, _BREAKS,
)  # fmt: skip
