"""Reports on what gateways kept: by contract, line by line, and where it is not what the contract says."""

from typing import Final

from warehouse.reports.model import Column, Drill, Kind, Report, money

_ACCOUNT = (Column("gateway", "Gateway", Kind.TEXT), Column("gateway_account", "Account", Kind.TEXT))
_CURRENCY = Column("currency", "Currency", Kind.TEXT)
_CONTRACT = Column("contract", "Contract", Kind.TEXT)
_KIND = Column("kind", "Kind", Kind.TEXT)
_METHOD = Column("payment_method", "Method", Kind.TEXT)
_VARIANT = Column("payment_method_variant", "Card product", Kind.TEXT)
_EXPECTED = """
             CASE WHEN is_judged THEN ({0}_minor - coalesce(differing.{0}, 0))::bigint END AS {0}_expected_minor"""


def _each(column: str, between: str) -> str:
    return between.join(column.format(part) for part in ("interchange", "scheme", "markup", "commission"))


# Of the contracts about a line the one that names most holds. What it says is what was charged, less what
# fct_fee_anomalies has of the line. Nothing is expected of lines that are held against no contract.
_LINES_SQL = f"""
    WITH lines AS (
      SELECT line_id, report_date, gateway, gateway_account, region, kind, psp_reference, created_at,
             coalesce(payment_method, '') AS payment_method,
             coalesce(payment_method_variant, '') AS payment_method_variant, net_currency AS currency,
             net_minor + fees_minor AS volume_minor, interchange_minor, scheme_fees_minor AS scheme_minor,
             markup_minor, commission_minor, fees_minor,
             currency = net_currency
               AND gateway IN (SELECT gateway FROM intermediate.int_fee_contracts)
               AND line_id NOT IN (
                 SELECT line_id FROM intermediate.int_leftover_lines
                  WHERE line_rank = 1 AND line_id NOT IN (SELECT line_id FROM intermediate.int_grouped_lines)
               ) AS is_judged
        FROM fct_settlement_lines
       WHERE livemode = $livemode AND report_date BETWEEN $since AND $until
         AND kind IN ('payment', 'refund', 'chargeback', 'second_chargeback', 'chargeback_reversal')
    ), held AS (
      SELECT l.line_id, arg_max(c.contract, c.named_count) AS contract
        FROM lines AS l JOIN intermediate.int_fee_contracts AS c
          ON c.gateway = l.gateway AND c.gateway_account IN (l.gateway_account, '*')
         AND c.payment_method IN (l.payment_method, '*')
         AND c.payment_method_variant IN (l.payment_method_variant, '*') AND c.region IN (l.region, '*')
         AND c.currency IN (l.currency, '*') AND l.created_at >= c.from_at AND l.created_at < c.until_at
       GROUP BY l.line_id
    ), differing AS (
      SELECT line_id, {_each("sum(difference_minor) FILTER (WHERE component = '{0}') AS {0}", ", ")}
        FROM fct_fee_anomalies WHERE livemode = $livemode AND report_date BETWEEN $since AND $until GROUP BY line_id
    ), expected AS (
      SELECT lines.*, coalesce(held.contract, '') AS contract,
             {_each(_EXPECTED, ", ")},
             differing.line_id IS NOT NULL AS is_anomaly
        FROM lines LEFT JOIN held USING (line_id) LEFT JOIN differing USING (line_id)
    )
    SELECT *, ({_each("{0}_expected_minor", " + ")})::bigint AS expected_minor FROM expected"""  # noqa: S608
_TOTALS = money(("fees_minor", "Charged"), ("expected_minor", "Expected"), ("difference_minor", "Difference"))
_FEES = Report(
    "fee-analysis",
    "Fees, expected against charged",
    "What gateways kept, by part, against the contract that holds; an anomaly is a line any part of which differs.",
    (
        *_ACCOUNT, _CONTRACT, _KIND, _METHOD, _CURRENCY, Column("line_count", "Lines", Kind.COUNT),
        *money(
            ("volume_minor", "Volume"), ("interchange_minor", "Interchange"), ("scheme_minor", "Scheme"),
            ("markup_minor", "Markup"), ("commission_minor", "Commission"),
        ),
        *_TOTALS, Column("rate_ppm", "Rate", Kind.SHARE), Column("anomaly_count", "Anomalies", Kind.COUNT),
    ),
    f"""
    SELECT gateway, gateway_account, contract, kind, payment_method, currency, count(*) AS line_count,
           sum(volume_minor)::bigint AS volume_minor, sum(interchange_minor)::bigint AS interchange_minor,
           sum(scheme_minor)::bigint AS scheme_minor, sum(markup_minor)::bigint AS markup_minor,
           sum(commission_minor)::bigint AS commission_minor, sum(fees_minor)::bigint AS fees_minor,
           sum(expected_minor)::bigint AS expected_minor,
           sum(fees_minor - expected_minor)::bigint AS difference_minor,
           (sum(fees_minor) * 1000000 // nullif(abs(sum(volume_minor)), 0))::bigint AS rate_ppm,
           count(*) FILTER (WHERE is_anomaly) AS anomaly_count
      FROM ({_LINES_SQL}) AS lines GROUP BY ALL ORDER BY 1, 2, 3, 4, 5, 6""",  # noqa: S608
    Drill("fee-lines", ("gateway_account", "contract", "kind", "payment_method", "currency")),
)  # fmt: skip
_ANOMALIES = Report(
    "fee-anomalies",
    "Fees that are not the contract's",
    "Each part of a line's fees that differs from the contract that holds; without one, none is about the line.",
    (
        Column("report_date", "Day", Kind.DATE), *_ACCOUNT, Column("batch_number", "Batch", Kind.COUNT),
        Column("line_number", "Line", Kind.COUNT), _CONTRACT, Column("component", "Part", Kind.TEXT), _KIND, _METHOD,
        _VARIANT, Column("psp_reference", "PSP reference", Kind.ID), _CURRENCY,
        *money(
            ("gross_minor", "Gross"), ("charged_minor", "Charged"), ("expected_minor", "Expected"),
            ("difference_minor", "Difference"),
        ),
        Column("line_id", "Line id", Kind.ID),
    ),
    """
    SELECT * FROM fct_fee_anomalies WHERE livemode = $livemode AND report_date BETWEEN $since AND $until
     ORDER BY abs(difference_minor) DESC, report_date, line_id, component""",
    Drill("settlement-lines", ("line_id",)),
)  # fmt: skip
_LINES = Report(
    "fee-lines",
    "Fees line by line",
    "Each line's fees, part by part, against the contract that holds; those that differ first.",
    (
        Column("report_date", "Day", Kind.DATE), *_ACCOUNT, _CONTRACT, _KIND, _METHOD, _VARIANT,
        Column("psp_reference", "PSP reference", Kind.ID), _CURRENCY,
        *money(
            ("volume_minor", "Volume"),
            ("interchange_minor", "Interchange"), ("interchange_expected_minor", "Interchange expected"),
            ("scheme_minor", "Scheme"), ("scheme_expected_minor", "Scheme expected"),
            ("markup_minor", "Markup"), ("markup_expected_minor", "Markup expected"),
            ("commission_minor", "Commission"), ("commission_expected_minor", "Commission expected"),
        ),
        *_TOTALS, Column("line_id", "Line id", Kind.ID),
    ),
    f"""
    SELECT *, fees_minor - expected_minor AS difference_minor FROM ({_LINES_SQL}) AS lines
     ORDER BY is_anomaly DESC, abs(fees_minor - expected_minor) DESC NULLS LAST, report_date, line_id""",  # noqa: S608
    is_detail=True,
)  # fmt: skip
FEE_REPORTS: Final = (_FEES, _ANOMALIES, _LINES)
