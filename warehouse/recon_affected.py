"""Which movements and settlement lines have to be matched again, and everything that their matching reads.

The connection has the candidate as `build`, the build before it as `base`, and all settlement lines in `whole`. What
comes out is a scratch database `warehouse` and a `lake` with nothing else in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

_SAME_REPORT = "gateway, gateway_account, report_date, file_hash"
# Lines of reports that were landed or replaced since; lines that no equal pair explained, or only one of two
# references did; and per account the line that says how far the gateway's batches reach, without which an open item
# would seem to be still on its way.
_LINES: Final = f"""
    WITH now AS (SELECT DISTINCT {_SAME_REPORT}, lake_seq FROM whole.settlement_lines),
         before AS (SELECT DISTINCT {_SAME_REPORT}, lake_seq FROM base.staging.stg_settlement_lines),
         changed AS (SELECT DISTINCT gateway, gateway_account, report_date
                       FROM ((FROM now EXCEPT FROM before) UNION ALL (FROM before EXCEPT FROM now)))
    SELECT line_id FROM whole.settlement_lines SEMI JOIN changed USING (gateway, gateway_account, report_date)
    UNION ALL
    SELECT line_id FROM base.staging.stg_settlement_lines
      SEMI JOIN changed USING (gateway, gateway_account, report_date)
    UNION ALL
    SELECT line_id FROM base.main.fct_recon_breaks WHERE line_id IS NOT NULL
    UNION ALL
    SELECT line_id FROM base.intermediate.int_leftover_lines
    UNION ALL
    SELECT line_id FROM base.intermediate.int_modified_pairs
    UNION ALL
    SELECT unnest(arg_max(line_id, (report_date, closed_at), 1)) FROM base.staging.stg_settlement_lines
     GROUP BY livemode, gateway, gateway_account
    UNION ALL
    SELECT unnest(arg_max(line_id, (closed_at, report_date), 1)) FROM base.staging.stg_settlement_lines
     GROUP BY livemode, gateway, gateway_account"""  # noqa: S608 - constants
# Movements that new events touch; open ones, which a day or a batch may turn into breaks; those that lines speak of.
# What is left of a payment is in here whole, so groups need nothing else: what an equal pair explains is in no group.
_ITEMS: Final = """
    SELECT id FROM build.parts.touched
    UNION ALL
    SELECT item_id FROM base.intermediate.int_leftover_items
    UNION ALL
    SELECT item_id FROM base.main.fct_recon_breaks WHERE item_id IS NOT NULL
    UNION ALL
    SELECT item_id FROM base.intermediate.int_settlement_pairs WHERE line_id IN (SELECT id FROM affected_line)
    UNION ALL
    SELECT item_id FROM base.intermediate.int_modified_pairs WHERE line_id IN (SELECT id FROM affected_line)
    UNION ALL
    SELECT item_id FROM base.intermediate.int_booked_items
     WHERE movement_reference IN (SELECT unnest([psp_reference, modification_reference]) FROM told)
        OR movement_merchant_reference IN (
            SELECT unnest([merchant_reference, modification_merchant_reference]) FROM told)
        OR payment_reference IN (SELECT psp_reference FROM told)"""
# What the affected lines say, read once: the lake has every line that there ever was.
_TOLD: Final = """
    CREATE OR REPLACE TEMP TABLE told AS
    SELECT psp_reference, merchant_reference, modification_reference, modification_merchant_reference
      FROM whole.settlement_lines WHERE line_id IN (SELECT id FROM affected_line)"""
# A refund, and a capture, is told with its payment.
_PAYMENTS: Final = """
    SELECT payment_id FROM build.staging.stg_refund_succeeded WHERE refund_id IN (SELECT id FROM affected_item)
    UNION ALL
    SELECT payment_id FROM build.intermediate.int_captures WHERE item_id IN (SELECT id FROM affected_item)"""
_PAIRED = """
    SELECT line_id FROM base.intermediate.int_settlement_pairs WHERE item_id IN (SELECT id FROM affected_item)
    UNION ALL
    SELECT line_id FROM base.intermediate.int_modified_pairs WHERE item_id IN (SELECT id FROM affected_item)"""
_BREAKS = """
    SELECT break_id FROM base.main.fct_recon_breaks
     WHERE line_id IN (SELECT id FROM affected_line) OR item_id IN (SELECT id FROM affected_item)"""
_READ: Final = {  # what the models of reconciliation read of the other models, and the columns that name the movement
    "intermediate.int_captures": ("item_id",),
    "intermediate.int_dispute_movements": ("item_id",),
    "staging.stg_payment_succeeded": ("payment_id",),
    "staging.stg_refund_succeeded": ("refund_id",),
    "intermediate.int_journal_entries": ("source_id", "journal_id"),
}


def find_affected(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `affected_line`, `affected_item` and `affected_break` (id)."""
    for kind, query in (
        ("line", _LINES),
        ("item", _ITEMS),
        ("item", _PAYMENTS),
        ("line", _PAIRED),
        ("break", _BREAKS),
    ):
        table = f"affected_{kind}"
        connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} (id VARCHAR)")
        connection.execute(
            f"INSERT INTO {table} SELECT DISTINCT found.id FROM ({query}) AS found (id) "  # noqa: S608 - constants
            f"WHERE found.id IS NOT NULL AND found.id NOT IN (SELECT id FROM {table})"
        )
        if query == _LINES:
            connection.execute(_TOLD)


def fill_scratch(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy what matching the affected movements and lines reads."""
    connection.execute("CREATE TABLE lake.run AS FROM whole.run")
    connection.execute(
        "CREATE TABLE lake.settlement_lines AS FROM whole.settlement_lines "
        "WHERE line_id IN (SELECT id FROM affected_line)"
    )
    connection.execute("CREATE SCHEMA IF NOT EXISTS warehouse.intermediate")
    connection.execute("CREATE TABLE warehouse.intermediate.currencies AS FROM build.intermediate.currencies")
    for name, columns in _READ.items():
        condition = " OR ".join(f"{column} IN (SELECT id FROM affected_item)" for column in columns)  # noqa: S608 - constants
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS warehouse.{name.partition('.')[0]}")
        connection.execute(f"CREATE TABLE warehouse.{name} AS FROM build.{name} WHERE {condition}")
