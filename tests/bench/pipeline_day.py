# ruff: noqa: E501 - the statements read better whole
"""Days of trade for the pipeline's benchmark, made by DuckDB: the events of links, visits, payments, refunds, journals.

Everything follows from (day, number), so any day can be made by itself: refunds of a day give back payments of that day
and of the fourteen before it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.recon.landing import SETTLEMENT_LINES
from regions.events import registry
from warehouse.lake_tables import EVENTS

if TYPE_CHECKING:
    import duckdb

    from regions.region import Region

REFUND_DAYS_MAX = 14
VISITS_PER_PAYMENT = 1.4
SEALED = (
    '{"subject":"subj_eu_06p0wz7b4hk53g6qyt8nwc2mse","retention_class":"payments","ciphertext":"' + "A" * 220 + '"}'
)
_MACROS = """
CREATE OR REPLACE MACRO ident(prefix, moment, seed) AS
    prefix || '_{code}_0' || printf('%012x', epoch_ms(moment)) || substr(md5(seed), 1, 13);
CREATE OR REPLACE MACRO event_id(moment, seed) AS
    substr(printf('%012x', epoch_ms(moment)), 1, 8) || '-' || substr(printf('%012x', epoch_ms(moment)), 9, 4)
    || '-7' || substr(md5(seed), 1, 3) || '-8' || substr(md5(seed), 4, 3) || '-' || substr(md5(seed), 7, 12);
CREATE OR REPLACE MACRO iso(moment) AS strftime(timezone('UTC', moment), '%Y-%m-%dT%H:%M:%S.%fZ');
CREATE OR REPLACE MACRO share(amount, millionths) AS
    amount * millionths // 1000000 + CASE
        WHEN 2 * (amount * millionths % 1000000) > 1000000 THEN 1
        WHEN 2 * (amount * millionths % 1000000) = 1000000 THEN amount * millionths // 1000000 % 2 ELSE 0 END;
CREATE OR REPLACE MACRO fees(amount) AS share(amount, 2200) + share(amount, 800) + share(amount, 3000);
CREATE OR REPLACE MACRO chance(seed, salt) AS (hash(seed, salt) % 1000000) / 1000000.0;
CREATE OR REPLACE MACRO visits(day, payments, zone) AS TABLE
    SELECT *, ident('plink', begun, 'l' || seed) AS link_id, ident('cs', begun, 's' || seed) AS session_id,
           ident('pay', begun, 'p' || seed) AS payment_id, ident('att', begun, 'a' || seed) AS attempt_id,
           ident('re', begun, 'r' || seed) AS refund_id,
           'psp' || substr(md5('c' || seed), 1, 16) AS reference,
           'psp' || substr(md5('f' || seed), 1, 16) AS refund_reference
      FROM (SELECT day || '-' || n AS seed, n,
                   timezone(zone, CAST(day AS TIMESTAMP) + to_milliseconds(
                       CAST(1000 + n * 82800000.0 / (payments * {visits}) AS BIGINT))) AS begun,
                   CAST(100 + hash(day, n, 1) % 49900 AS BIGINT) AS amount, '{currency}' AS currency,
                   ['email', 'sms', 'qr', 'social'][1 + CAST(hash(day, n, 2) % 4 AS INTEGER)] AS channel,
                   ['desktop', 'mobile', 'tablet'][1 + CAST(hash(day, n, 3) % 3 AS INTEGER)] AS device,
                   n % 7 < 5 AS pays, n % 7 < 5 AND chance(day || '-' || n, 4) < 0.88 AS succeeds,
                   CASE WHEN chance(day || '-' || n, 5) < 0.05
                        THEN CASE WHEN chance(day || '-' || n, 6) < 0.5 THEN 0
                                  ELSE CAST(hash(day, n, 7) % {refund_days} AS INTEGER) END END AS refund_after
              FROM (SELECT CAST(range AS BIGINT) AS n FROM range(CAST(payments * {visits} AS BIGINT))));
CREATE OR REPLACE MACRO refunds(day, since, payments, zone) AS TABLE
    SELECT *, begun + to_days(refund_after) + INTERVAL 30 MINUTE AS refunded_at
      FROM (SELECT unnest(generate_series(
                greatest(CAST(since AS DATE), CAST(day AS DATE) - {refund_days}), CAST(day AS DATE), INTERVAL 1 DAY
            )) AS paid_on) AS days,
           LATERAL (SELECT * FROM visits(CAST(CAST(paid_on AS DATE) AS VARCHAR), payments, zone)
                     WHERE succeeds AND refund_after = date_diff('day', CAST(paid_on AS DATE), CAST(day AS DATE)));
"""
# Each: type, subject, sequence, milliseconds after the visit began, whether it happens, and its data.
_PRICE = "'amount_minor', amount, 'currency', currency"
_VISIT = "'link_id', link_id, 'session_id', session_id"
_GATEWAY = "'gateway', 'sandbox', 'gateway_account', '{account}'"
_ENTRY = "json_object('line', {line}, 'account', '{name}', 'currency', currency, 'amount_minor', {amount})"
_JOURNAL = (
    "'occurred_at', iso({at}), 'booked_at', iso({at}), "
    "'accounting_date', CAST(CAST(timezone('{{zone}}', {at}) AS DATE) AS VARCHAR), 'entries', ["
    + _ENTRY.format(line=1, name="gateway_clearing:sandbox", amount="{sign}amount")
    + ", "
    + _ENTRY.format(line=2, name="merchant_payable_pending", amount="-({sign}amount)")
    + "]"
)
_STORY: tuple[tuple[str, str, int, int, str, str], ...] = (
    (
        "link.created",
        "link_id",
        1,
        0,
        "true",
        (
            f"'link_id', link_id, {_PRICE}, 'reference', 'INV-' || n, 'usage', 'single', 'pricing', 'fixed', 'capture_method', 'automatic', "
            "'channel', channel, 'created_at', iso(begun)"
        ),
    ),
    (
        "checkout.opened",
        "session_id",
        1,
        2000,
        "true",
        (
            f"{_VISIT}, {_PRICE}, 'locale', 'de-DE', 'device_class', device, "
            "'channel', channel, 'opened_at', iso(begun + INTERVAL 2 SECOND)"
        ),
    ),
    (
        "checkout.submitted",
        "session_id",
        2,
        60000,
        "pays",
        f"{_VISIT}, 'payment_id', payment_id, 'method', 'card', 'submitted_at', iso(begun + INTERVAL 60 SECOND)",
    ),
    (
        "risk.assessed",
        "payment_id",
        1,
        60001,
        "pays",
        (
            f"'payment_id', payment_id, 'link_id', link_id, 'attempt_number', 1, {_PRICE}, "
            "'email_token', 'v1.' || md5('e' || seed) || md5(seed), "
            "'as_of', iso(begun + INTERVAL 60 SECOND), 'snapshot', '731:740:735,738', 'features', json_object('email_attempts_1h', 0, "
            "'ip_cards_1h', hash(seed) % 4, 'link_cards_1h', 1, 'merchant_failures_10m', hash(seed, 1) % 9), "
            "'features_version', '0123456789abcdef', 'decision', 'allow', 'reasons', [], 'rules_version', 'fedcba9876543210'"
        ),
    ),
    (
        "payment.created",
        "payment_id",
        2,
        60002,
        "pays",
        f"'payment_id', payment_id, {_VISIT}, {_PRICE}, 'method', 'card', 'created_at', iso(begun + INTERVAL 60 SECOND)",
    ),
    (
        "payment.attempted",
        "payment_id",
        3,
        60003,
        "pays",
        f"'payment_id', payment_id, 'attempt_id', attempt_id, {_GATEWAY}, 'attempted_at', iso(begun + INTERVAL 60 SECOND)",
    ),
    (
        "payment.failed",
        "payment_id",
        4,
        61000,
        "pays AND NOT succeeds",
        (
            f"'payment_id', payment_id, {_VISIT}, 'attempt_id', attempt_id, 'gateway', 'sandbox', {_PRICE}, "
            "'failure_code', 'card_declined', 'failed_at', iso(begun + INTERVAL 61 SECOND)"
        ),
    ),
    (
        "payment.succeeded",
        "payment_id",
        4,
        61000,
        "succeeds",
        (
            f"'payment_id', payment_id, {_VISIT}, 'attempt_id', attempt_id, {_GATEWAY}, "
            f"'gateway_reference', reference, {_PRICE}, "
            "'method', 'card', 'card_brand', 'visa', 'is_late', false, 'succeeded_at', iso(begun + INTERVAL 61 SECOND)"
        ),
    ),
    (
        "journal.posted",
        "ident('jrn', begun, 'j' || seed)",
        1,
        61001,
        "succeeds",
        "'journal_id', ident('jrn', begun, 'j' || seed), 'kind', 'payment', 'source_id', payment_id, "
        + _JOURNAL.format(at="begun + INTERVAL 61 SECOND", sign=""),
    ),
    (
        "checkout.completed",
        "session_id",
        3,
        61002,
        "succeeds",
        f"{_VISIT}, 'payment_id', payment_id, 'completed_at', iso(begun + INTERVAL 61 SECOND)",
    ),
    (
        "link.completed",
        "link_id",
        2,
        61003,
        "succeeds",
        "'link_id', link_id, 'payment_id', payment_id, 'completed_at', iso(begun + INTERVAL 61 SECOND)",
    ),
)
_REFUND = f"'refund_id', refund_id, 'payment_id', payment_id, {_PRICE}"
_REFUND_STORY: tuple[tuple[str, str, int, int, str, str], ...] = (
    ("refund.created", "refund_id", 1, 0, "true", f"{_REFUND}, 'created_at', iso(refunded_at)"),
    (
        "refund.succeeded",
        "refund_id",
        2,
        800,
        "true",
        f"{_REFUND}, {_GATEWAY}, 'gateway_reference', refund_reference, 'succeeded_at', iso(refunded_at)",
    ),
    (
        "journal.posted",
        "ident('jrn', refunded_at, 'k' || seed)",
        1,
        801,
        "true",
        "'journal_id', ident('jrn', refunded_at, 'k' || seed), 'kind', 'refund', 'source_id', refund_id, "
        + _JOURNAL.format(at="refunded_at", sign="-"),
    ),
)


class Trade:
    """Days of `payments` payments each in a region; nothing happened before `since`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, region: Region, merchant_id: str, payments: int, since: date
    ) -> None:
        self._connection = connection
        self._region = region
        self._merchant_id = merchant_id
        self._payments = payments
        self._since = since
        self._account = region.gateways[0].account
        macros = _MACROS.format(
            code=region.code, visits=VISITS_PER_PAYMENT, currency=region.currencies[0], refund_days=REFUND_DAYS_MAX
        )
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(macros)

    def make_events(self, day: date) -> int:
        """Fill the table `events` with a day in order of time, as the outbox has it, and count it."""
        place = f"'{day}', {self._payments}, '{self._region.timezone}'"
        refunds = f"'{day}', '{self._since}', {self._payments}, '{self._region.timezone}'"
        parts = [self._select(*event, source=f"visits({place})", at="begun") for event in _STORY]
        parts += [self._select(*event, source=f"refunds({refunds})", at="refunded_at") for event in _REFUND_STORY]
        self._connection.execute(f"CREATE OR REPLACE TABLE events AS {' UNION ALL '.join(parts)} ORDER BY time, id")
        [(count,)] = self._connection.execute("SELECT count(*) FROM events").fetchall()
        return int(count)

    def _select(
        self, kind: str, subject: str, sequence: int, after_ms: int, condition: str, data: str, *, source: str, at: str
    ) -> str:
        found = registry()[kind]
        moment = f"{at} + to_milliseconds({after_ms})"
        document = data.format(account=self._account, zone=self._region.timezone)
        pii = f"'{SEALED}'" if found.pii else "NULL"
        return f"""
            SELECT event_id({moment}, '{kind}' || seed) AS id, '{kind}' AS type, '{found.family}' AS family,
                   {subject} AS subject, CAST({sequence} AS BIGINT) AS sequence, '{self._merchant_id}' AS merchant_id,
                   false AS livemode, {moment} AS time, {found.version} AS schema_version,
                   CAST(NULL AS VARCHAR) AS correlation_id, CAST(json_object({document}) AS VARCHAR) AS data,
                   CAST({pii} AS VARCHAR) AS pii
              FROM {source} WHERE {condition}"""

    def lake_rows(self, lake_seq: int, first: int, size: int) -> pa.Table:
        """A stretch of `events` as one ingest commit would write it, at positions before all of the relay's."""
        rows = self._connection.sql(
            f"""SELECT id AS event_id, type, family, subject, sequence, merchant_id, livemode, time, schema_version,
                       correlation_id, data, pii, '{self._region.code}' AS region,
                       '{self._region.code}.' || family || '.v1' AS kafka_topic, 0 AS kafka_partition,
                       '1:0:' || {lake_seq} AS position, CAST({lake_seq} AS BIGINT) AS lake_seq,
                       time AS ingested_at, CAST(NULL AS BIGINT) AS xid
                  FROM events LIMIT {size} OFFSET {first}"""
        ).to_arrow_table()
        return _as_table(rows, EVENTS.schema.as_arrow())

    def settlement_rows(self, day: date, batch: int) -> pa.Table:
        """The settlement lines of a day, as landing its report would write them."""
        made = self._connection.sql(self._settlement_sql(day, batch)).to_arrow_table()
        return _as_table(made, SETTLEMENT_LINES.schema.as_arrow())

    def items(self, day: date) -> list[tuple[str, ...]]:
        """What the gateway moved on a day: reference, attempt, refund, refund's reference, currency, amount, moment."""
        return self._connection.execute(self._moved(day)).fetchall()

    def _moved(self, day: date) -> str:
        zone, payments = self._region.timezone, self._payments
        return f"""
            SELECT reference, attempt_id, NULL AS refund_id, NULL AS refund_reference, currency, amount,
                   begun + INTERVAL 61 SECOND AS moved_at
              FROM visits('{day}', {payments}, '{zone}') WHERE succeeds
            UNION ALL
            SELECT reference, attempt_id, refund_id, refund_reference, currency, amount, refunded_at
              FROM refunds('{day}', '{self._since}', {payments}, '{zone}')"""

    def _settlement_sql(self, day: date, batch: int) -> str:
        closed = f"timezone('{self._region.timezone}', TIMESTAMP '{day} 23:59:59')"
        return f"""
            WITH moved AS ({self._moved(day)}),
            lines AS (
                SELECT CASE WHEN refund_id IS NULL THEN 'Settled' ELSE 'Refunded' END AS type, reference AS psp_reference,
                       attempt_id AS merchant_reference, refund_reference AS modification_reference,
                       refund_id AS modification_merchant_reference, currency AS gross_currency,
                       CASE WHEN refund_id IS NULL THEN amount ELSE -amount END AS gross_minor, currency AS net_currency,
                       CASE WHEN refund_id IS NULL THEN amount - fees(amount) ELSE -amount END AS net_minor,
                       CASE WHEN refund_id IS NULL THEN share(amount, 2200) ELSE 0 END AS markup_minor,
                       CASE WHEN refund_id IS NULL THEN share(amount, 800) ELSE 0 END AS scheme_fees_minor,
                       CASE WHEN refund_id IS NULL THEN share(amount, 3000) ELSE 0 END AS interchange_minor, moved_at AS created_at
                  FROM moved
                UNION ALL
                SELECT 'MerchantPayout', NULL, NULL, 'batch', NULL, NULL, 0, any_value(currency),
                       -sum(CASE WHEN refund_id IS NULL THEN amount - fees(amount) ELSE -amount END), 0, 0, 0, {closed}
                  FROM moved
            )
            SELECT md5('{day}' || row_number() OVER ()) AS line_id, '{self._region.code}' AS region, false AS livemode,
                   'sandbox' AS gateway, '{self._account}' AS gateway_account, DATE '{day}' AS report_date,
                   row_number() OVER () AS line_number, {batch} AS batch_number, 'visa' AS payment_method, *,
                   0 AS commission_minor, {closed} AS booked_at,
                   {closed} AS closed_at, md5('{day}') AS file_hash, {batch} AS lake_seq
              FROM lines"""


def _as_table(made: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows under a table's schema; a column that was not made is NULL."""
    columns = [
        made[field.name].cast(field.type) if field.name in made.column_names else pa.nulls(made.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def days_before(day: date, count: int) -> list[date]:
    """The `count` days before a day, oldest first."""
    return [day - timedelta(days=back) for back in range(count, 0, -1)]
