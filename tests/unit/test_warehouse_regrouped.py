"""Which days and batches of a report are made again, and what its SQL then sees."""

from collections.abc import Iterator

import duckdb
import pytest

from warehouse.dbt_plan import Node
from warehouse.increments import Key
from warehouse.regrouped import REPORTS, can_regroup, groups_of, in_groups, note_changed, show

BRIDGE = REPORTS["rpt_recon_bridge"]
KEY = Key("line", "line_id")


def node(name: str, *parents: str) -> Node:
    return Node(f"model.m.{name}", "model", name, "main", "", "", (), frozenset(), parents, False, {})


NODES = {name: node(name) for name in ("fct_settlement_lines", "fct_recon_matches", "fct_recon_breaks")}
LINES = NODES["fct_settlement_lines"]


@pytest.fixture(name="connection")
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Line b moves from the fourth batch of one day to the seventh of the next; c is new in the ninth; a stays."""
    with duckdb.connect() as connection:
        for name in ("build", "base", "warehouse"):
            connection.execute(f"ATTACH ':memory:' AS {name}")
            for model in NODES:
                connection.execute(
                    f"CREATE TABLE {name}.main.{model} (line_id VARCHAR, batch_number INTEGER, report_date DATE, "
                    "settled_on DATE, booked_on DATE, business_date DATE)"
                )
        before, after = "('a', 1, DATE '2026-03-01')", "('b', 4, DATE '2026-03-04')"
        connection.execute(
            f"INSERT INTO base.fct_settlement_lines (line_id, batch_number, report_date) VALUES {before}, {after}"
        )
        moved = "('b', 7, DATE '2026-03-05'), ('c', 9, NULL)"
        connection.execute(
            f"INSERT INTO warehouse.fct_settlement_lines (line_id, batch_number, report_date) VALUES {moved}"
        )
        connection.execute(
            f"INSERT INTO build.fct_settlement_lines (line_id, batch_number, report_date) VALUES {before}, {moved}, "
            "('d', 3, NULL), ('e', 10, NULL), ('f', 11, NULL)"
        )
        connection.execute("CREATE TEMP TABLE changed AS SELECT unnest(['b', 'c']) AS id")
        connection.execute("CREATE TEMP TABLE affected_line AS FROM changed")
        connection.execute("CREATE TEMP TABLE earlier AS SELECT line_id AS id, * FROM base.fct_settlement_lines")
        yield connection


def test_what_a_row_leaves_is_made_again_and_what_it_comes_to(connection: duckdb.DuckDBPyConnection) -> None:
    note_changed(connection, LINES, KEY)
    assert groups_of(connection, REPORTS["int_payouts"]) == [4, 7, 9]
    assert groups_of(connection, BRIDGE) == [4, 5, 7, 8, 9, 10]  # each batch tells of the one before it, too
    days = groups_of(connection, REPORTS["rpt_recon_summary"])
    assert in_groups("x", REPORTS["rpt_recon_summary"], days).count("DATE") == 2 + len(days) == 4


def test_rows_of_objects_that_nobody_called_affected_are_looked_up(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DELETE FROM affected_line; DELETE FROM earlier")
    note_changed(connection, LINES, KEY)
    assert groups_of(connection, REPORTS["int_payouts"]) == [4, 7, 9]


def test_a_report_sees_its_groups_and_those_before_them(connection: duckdb.DuckDBPyConnection) -> None:
    note_changed(connection, LINES, KEY)
    show(connection, BRIDGE, groups_of(connection, BRIDGE), NODES)
    shown = connection.execute("SELECT batch_number FROM warehouse.fct_settlement_lines ORDER BY ALL").fetchall()
    assert shown == [(3,), (7,), (9,), (10,)]  # the third for what the fourth, now empty, opens with


def test_a_row_that_counts_on_two_days_is_shown_once(connection: duckdb.DuckDBPyConnection) -> None:
    summary = REPORTS["rpt_recon_summary"]
    days = "DATE '2026-03-04', DATE '2026-03-05'"
    connection.execute(
        f"INSERT INTO build.fct_recon_matches (line_id, settled_on, booked_on) VALUES ('both', {days}), "
        "('settled', DATE '2026-03-05', NULL), ('booked', NULL, DATE '2026-03-04'), ('neither', NULL, NULL)"
    )
    read = summary._replace(reads={"fct_recon_matches": summary.reads["fct_recon_matches"]})
    show(connection, read, [20516, 20517], NODES)
    shown = connection.execute("SELECT line_id FROM warehouse.fct_recon_matches ORDER BY ALL").fetchall()
    assert shown == [("booked",), ("both",), ("settled",)]


def test_without_a_change_nothing_is_made_again(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DELETE FROM changed")
    note_changed(connection, LINES, KEY)
    groups = groups_of(connection, BRIDGE)
    show(connection, BRIDGE, groups, NODES)
    assert (groups, in_groups("x", BRIDGE, groups)) == ([], "false")
    assert connection.execute("SELECT count(*) FROM warehouse.fct_settlement_lines").fetchone() == (0,)


def test_a_report_that_reads_more_than_is_known_is_made_whole() -> None:
    known = [f"model.m.{name}" for name in BRIDGE.reads]
    assert can_regroup(node("rpt_recon_bridge", *known))
    assert not can_regroup(node("rpt_recon_bridge", *known, "source.m.lake.run"))
    assert not can_regroup(node("rpt_recon_breaks", *known))
