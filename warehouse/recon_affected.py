"""Which movements and settlement lines have to be matched again, and everything that their matching reads.

The connection has the candidate as `build`, the build before it as `base`, and all settlement lines in `whole`. What
comes out is a scratch database `warehouse` and a `lake` with nothing else in them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from warehouse.affected import among, bounds

if TYPE_CHECKING:
    import duckdb

    from warehouse.lake_files import TableFiles

_REPORT: Final = "gateway, gateway_account, report_date"
# Reports that were landed or replaced since. A file of the lake never changes: as long as none is gone, new ones tell.
_LANDED: Final = f"SELECT DISTINCT {_REPORT} FROM "  # noqa: S608 - constants
_REPLACED: Final = """
    WITH now AS (SELECT DISTINCT {report}, file_hash, lake_seq FROM whole.settlement_lines),
         before AS (SELECT DISTINCT {report}, file_hash, lake_seq FROM base.staging.stg_settlement_lines)
    SELECT DISTINCT {report} FROM ((FROM now EXCEPT FROM before) UNION ALL (FROM before EXCEPT FROM now))""".replace(
    "{report}", _REPORT
)
# Their lines; lines that no equal pair explained, or only one of two references did; and per account the line that says
# how far the gateway's batches reach, without which an open item would seem to be still on its way.
_LINES: Final = """
    WITH ends AS (SELECT livemode, gateway, gateway_account,
                         max({'day': report_date, 'at': closed_at}) AS by_day,
                         max({'at': closed_at, 'day': report_date}) AS by_time
                    FROM base.staging.stg_settlement_lines GROUP BY livemode, gateway, gateway_account)
    SELECT line_id, report_date FROM whole.settlement_lines SEMI JOIN changed_report USING ({report}) WHERE {days}
    UNION ALL
    SELECT line_id, report_date FROM base.staging.stg_settlement_lines SEMI JOIN changed_report USING ({report})
     WHERE {days}
    UNION ALL
    SELECT line_id, settled_on FROM base.main.fct_recon_breaks WHERE line_id IS NOT NULL
    UNION ALL
    SELECT line_id, settled_on FROM base.intermediate.int_leftover_lines
    UNION ALL
    SELECT line_id, settled_on FROM base.intermediate.int_modified_pairs
    UNION ALL
    SELECT min(line_id), report_date
      FROM base.staging.stg_settlement_lines AS lines JOIN (
               SELECT livemode, gateway, gateway_account, unnest([by_day.day, by_time.day]) AS report_date,
                      unnest([by_day.at, by_time.at]) AS closed_at FROM ends) AS ends
            USING (livemode, gateway, gateway_account, report_date)
     WHERE lines.closed_at IS NOT DISTINCT FROM ends.closed_at
     GROUP BY livemode, gateway, gateway_account, report_date, lines.closed_at""".replace("{report}", _REPORT)
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
      FROM whole.settlement_lines WHERE {condition}"""
# A refund, and a capture, is told with its payment.
_PAYMENTS: Final = """
    SELECT payment_id FROM build.staging.stg_refund_succeeded WHERE refund_id IN (SELECT id FROM affected_item)
    UNION ALL
    SELECT payment_id FROM build.intermediate.int_captures WHERE item_id IN (SELECT id FROM affected_item)"""
_PAIRED = """
    SELECT line_id, settled_on FROM base.intermediate.int_settlement_pairs
     WHERE item_id IN (SELECT id FROM affected_item)
    UNION ALL
    SELECT line_id, settled_on FROM base.intermediate.int_modified_pairs
     WHERE item_id IN (SELECT id FROM affected_item)"""
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


def find_affected(connection: duckdb.DuckDBPyConnection, before: TableFiles, now: TableFiles) -> None:
    """Fill `affected_line` (id, day), `affected_item` and `affected_break` (id).

    `before` and `now` are the settlement lines that `base` and this build read.
    """
    new = replace(now, files=tuple(sorted(set(now.files) - set(before.files))))
    is_grown = set(before.files) <= set(now.files)
    changed = _LANDED + new.duckdb_sql() if is_grown else _REPLACED
    connection.execute(f"CREATE OR REPLACE TEMP TABLE changed_report AS {changed}")
    row = connection.execute("SELECT min(report_date), max(report_date) FROM changed_report").fetchone()
    first, last = row or (None, None)
    days = f"report_date BETWEEN DATE '{first}' AND DATE '{last}'" if first else "false"
    lines = _LINES.replace("{days}", days)
    for kind, query in (
        ("line", lines),
        ("item", _ITEMS),
        ("item", _PAYMENTS),
        ("line", _PAIRED),
        ("break", _BREAKS),
    ):
        table = f"affected_{kind}"
        names, day = ("id, day", ", min(found.day)") if kind == "line" else ("id", "")
        columns = "id VARCHAR, day DATE" if kind == "line" else "id VARCHAR"
        connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({columns})")
        connection.execute(
            f"INSERT INTO {table} SELECT found.id{day} FROM ({query}) AS found ({names}) "  # noqa: S608 - constants
            f"WHERE found.id IS NOT NULL AND found.id NOT IN (SELECT id FROM {table}) GROUP BY found.id"
        )
        if query == lines:
            connection.execute(_TOLD.format(condition=_affected_lines(connection)))


def fill_scratch(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy what matching the affected movements and lines reads."""
    connection.execute("CREATE TABLE lake.run AS FROM whole.run")
    connection.execute(
        f"CREATE TABLE lake.settlement_lines AS FROM whole.settlement_lines WHERE {_affected_lines(connection)}"
    )
    connection.execute("CREATE SCHEMA IF NOT EXISTS warehouse.intermediate")
    connection.execute("CREATE TABLE warehouse.intermediate.currencies AS FROM build.intermediate.currencies")
    for name, columns in _READ.items():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS warehouse.{name.partition('.')[0]}")
        # One after the other: by OR, every row would go through, whole.
        found, others = f"FROM build.{name}", ""
        for number, column in enumerate(columns):
            is_affected = f"{bounds(connection, 'item', column)} AND {column} IN (SELECT id FROM affected_item)"  # noqa: S608 - constants
            rows = among(connection, f"build.{name}", column, is_affected) or "false"
            what = "INSERT INTO" if number else "CREATE TABLE"
            middle = " " if number else " AS "
            connection.execute(f"{what} warehouse.{name}{middle}{found} WHERE {rows}{others}")
            others += f" AND {column} NOT IN (SELECT id FROM affected_item)"  # noqa: S608 - constants


def _affected_lines(connection: duckdb.DuckDBPyConnection) -> str:
    """The condition that a line is affected. Its first day lets whole files of the lake be passed over."""
    (since,) = connection.execute("SELECT min(day) FROM affected_line").fetchone() or (None,)
    bound = f"report_date >= DATE '{since}' AND " if since else ""
    return f"{bound}line_id IN (SELECT id FROM affected_line)"  # noqa: S608 - a day of ours
