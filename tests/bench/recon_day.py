# ruff: noqa: E501 - the statements read better whole
"""Two tables for reconciliation's benchmark, made by DuckDB: what we booked, and what the gateway reports, with breaks.

Of 1,000 items two come out as breaks, in turn: a line is missing, a line is about nothing of ours, an amount differs, a line
stands twice, and a payment is reported in two parts. Rows are in no order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

DAY = "2026-03-14"
BREAK_EVERY = 500  # items
_ITEMS = """
CREATE TABLE warehouse.intermediate.int_booked_items AS
SELECT 'pay_eu_0' || substr(md5('p' || n), 1, 25) AS item_id, 'payment' AS kind, item_id AS payment_id, false AS livemode,
       'eu' AS region, 'mer_eu_0' || substr(md5('m' || n % 1000), 1, 25) AS merchant_id, 'sandbox' AS gateway,
       'MeridianEU' AS gateway_account, CAST(8516000000000000 + n AS VARCHAR) AS payment_reference,
       payment_reference AS movement_reference, 'att_eu_0' || substr(md5('a' || n), 1, 25) AS movement_merchant_reference,
       'EUR' AS currency, CAST(100 + hash(n) % 49900 AS BIGINT) AS amount_minor,
       TIMESTAMPTZ '{day} 05:00:00+00' + to_milliseconds(n * 60000000 // {count}) AS occurred_at, DATE '{day}' AS booked_on
  FROM (SELECT range AS n FROM range({count})) ORDER BY hash(n, 1)"""
_LINES = """
CREATE TABLE warehouse.main.fct_settlement_lines AS
WITH items AS (SELECT *, CAST(movement_reference AS BIGINT) - 8516000000000000 AS n FROM warehouse.intermediate.int_booked_items),
     planted AS (SELECT *, CASE WHEN n % {every} = 0 THEN n // {every} % 5 END AS plant FROM items),
     told AS (
        SELECT n, 0 AS part, movement_reference AS psp, movement_merchant_reference AS ours,
               CASE plant WHEN 2 THEN amount_minor + 100 WHEN 4 THEN amount_minor // 2 ELSE amount_minor END AS gross, occurred_at
          FROM planted WHERE plant IS DISTINCT FROM 0
         UNION ALL
        SELECT n, 1, movement_reference, movement_merchant_reference,
               CASE plant WHEN 4 THEN amount_minor - amount_minor // 2 ELSE amount_minor END, occurred_at
          FROM planted WHERE plant IN (3, 4)
         UNION ALL
        SELECT n, 2, 'X' || movement_reference, 'att_eu_0' || substr(md5('x' || n), 1, 25), amount_minor, occurred_at
          FROM planted WHERE plant = 1)
SELECT md5(n || '/' || part) AS line_id, false AS livemode, 'eu' AS region, 'sandbox' AS gateway, 'MeridianEU' AS gateway_account,
       DATE '{day}' AS report_date, CAST(1 + n % 10 AS INTEGER) AS batch_number, CAST(n AS INTEGER) AS line_number,
       'Settled' AS type, 'payment' AS kind, true AS is_movement, psp AS psp_reference, ours AS merchant_reference,
       CAST(NULL AS VARCHAR) AS modification_reference, CAST(NULL AS VARCHAR) AS modification_merchant_reference,
       psp AS movement_reference, ours AS movement_merchant_reference, 'visa' AS payment_method, 'visastandardcredit' AS payment_method_variant, 'EUR' AS currency,
       gross AS gross_minor, '1' AS exchange_rate, 'EUR' AS net_currency, gross - fees(gross) AS net_minor, CAST(0 AS BIGINT) AS commission_minor,
       share(gross, 2200) AS markup_minor, share(gross, 800) AS scheme_fees_minor, share(gross, 3000) AS interchange_minor, fees(gross) AS fees_minor,
       occurred_at AS created_at, TIMESTAMPTZ '{day} 22:59:59+00' AS booked_at, TIMESTAMPTZ '{day} 22:59:59+00' AS closed_at,
       'f' AS file_hash
  FROM told ORDER BY hash(n, part, 2)"""
_PAYOUTS = """
INSERT INTO warehouse.main.fct_settlement_lines
SELECT md5('payout' || batch_number), false, 'eu', 'sandbox', 'MeridianEU', DATE '{day}', batch_number, 0, 'MerchantPayout', 'payout', false,
       NULL, NULL, 'TX' || batch_number, NULL, NULL, NULL, NULL, NULL, 'EUR', 0, NULL, 'EUR', -sum(net_minor), 0, 0, 0, 0, 0, any_value(booked_at),
       any_value(booked_at), any_value(closed_at), 'f'
  FROM warehouse.main.fct_settlement_lines GROUP BY batch_number"""
FEES = """
CREATE OR REPLACE TEMP MACRO share(amount, millionths) AS
    amount * millionths // 1000000 + CASE
        WHEN 2 * (amount * millionths % 1000000) > 1000000 THEN 1
        WHEN 2 * (amount * millionths % 1000000) = 1000000 THEN amount * millionths // 1000000 % 2 ELSE 0 END;
CREATE OR REPLACE TEMP MACRO fees(amount) AS share(amount, 2200) + share(amount, 800) + share(amount, 3000);"""


def make(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    """Fill the two tables of the attached `warehouse`."""
    connection.execute(FEES)
    for statement in (_ITEMS, _LINES, _PAYOUTS):
        connection.execute(statement.format(day=DAY, count=count, every=BREAK_EVERY))
