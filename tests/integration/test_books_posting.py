"""From a reconciled build to the books: everything is posted once, and what is left is exactly the breaks."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipelines.books import billing
from pipelines.books.posting import Posted, carry_out, live_postings, plan
from pipelines.books.wanted import wanted_postings
from pipelines.recon import bank_landing
from pipelines.recon.formats.inspection import inspect
from pipelines.recon.formats.source import Source
from pipelines.recon.statements import parse_statement
from regions.money import Money
from regions.pricing import load_pricing
from tests.support.books import Books
from tests.support.postgres import PostgresServer
from tests.support.regional import RegionDatabase, region_on
from tests.support.warehouse import DAY, Bench, TradedDay, bench
from warehouse.breaks import RESOLUTIONS, load_breaks, one_break, proposal
from warehouse.query import open_published
from warehouse.reports import erp
from warehouse.reports.catalogue import REPORTS, report_of
from warehouse.reports.invoices import invoices
from warehouse.reports.model import Asked, Result, run
from warehouse.reports.page import report_page
from warehouse.reports.render import FORMATS, render
from web import ledger
from web.app import create_app
from web.db.engine import Database
from web.db.scope import Tenant, tenant_scope
from web.ledger.domain import Entry, Journal
from web.sandbox.bank import camt_statement
from web.sandbox.bank.domain import Payout, entries_of, statements_of
from web.sandbox.settlement.planting import Plant
from web.settings import Settings

PLANTS: list[Plant] = ["missing_at_gateway", "missing_with_us", "amount", "duplicate"]
SINCE = DAY - timedelta(days=3)


@dataclass
class Reconciled:
    """A day that was traded, booked, settled with errors, paid out, reconciled and published."""

    bench: Bench
    books: Books
    first: Posted = field(default_factory=Posted)

    def command(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.books.command(path, body)
        assert answer.status_code in {200, 201}, answer.json
        found: Mapping[str, Any] = answer.json
        return found

    def post(self) -> Posted:
        with (
            open_published(self.bench.warehouse) as build,
            self.books.database.connect("reader") as reader,
        ):
            until = DAY + timedelta(days=9)
            wanted = list(wanted_postings(build, self.bench.region, SINCE, until, lambda *_: None))
            todo = plan(self.bench.region, wanted, live_postings(reader, SINCE), build)
        return carry_out(todo, self.command)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with open_published(self.bench.warehouse) as build:
            return build.execute(statement).fetchall()

    def balances(self) -> Counter[str]:
        with self.books.database.connect("postgres") as admin:
            rows = admin.execute(
                """SELECT account, sum(amount_minor)::bigint FROM ledger_entries e
                     JOIN ledger_journals j ON j.id = journal_id
                    WHERE j.occurred_at >= %s AND j.occurred_at < %s GROUP BY 1""",
                [
                    datetime.combine(SINCE, datetime.min.time()),
                    datetime.combine(DAY + timedelta(20), datetime.min.time()),
                ],
            ).fetchall()
        return Counter({name: amount for name, amount in rows if amount})


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Reconciled]:
    """Books of their own: what others posted would be taken back, since this build does not have it."""
    with (
        bench(tmp_path_factory.mktemp("posting")) as place,
        region_on(postgres_server, "eu") as region_database,
    ):
        traded = TradedDay(place.region, seed=7)
        traded.merchant_id = region_database.merchant_id
        traded.trade(30)
        for _ in range(3):
            traded.session("refunded")
        place.append(traded.events)
        book(region_database, traded)
        place.land(traded.report(PLANTS)[0])
        place.build()
        pay_out(place)
        inputs = place.inputs()
        with place.warehouse.lock():
            place.warehouse.reconcile(place.warehouse.build(DAY, inputs), inputs, {})
            place.warehouse.publish()
        app = create_app(place.region, Settings.from_environment(place.region, region_database.env))
        day = Reconciled(place, Books(app, region_database))
        day.first = day.post()
        take_in(day)
        yield day


def take_in(day: Reconciled) -> None:
    """What was posted reaches the lake by its events, and the next build."""
    region = day.bench.region.code
    with day.books.database.connect("postgres") as admin:
        told = admin.execute(
            """SELECT o.id, o.subject, o.merchant_id, o.time, o.data FROM outbox o
                WHERE type = 'journal.posted' AND data->>'kind' NOT IN ('payment', 'refund')
                  AND (data->>'occurred_at')::timestamptz BETWEEN %s AND %s""",
            [SINCE, DAY + timedelta(20)],
        ).fetchall()
    common = {
        "type": "journal.posted", "family": "ledger", "sequence": 1, "livemode": False, "schema_version": 1,
        "correlation_id": None, "pii": None, "region": region, "kafka_topic": f"{region}.ledger.v1",
        "kafka_partition": 0, "lake_seq": 2,
    }  # fmt: skip
    day.bench.append(
        [
            common
            | {"event_id": str(key), "subject": subject, "merchant_id": merchant, "time": time, "ingested_at": time}
            | {"data": json.dumps(data), "position": f"1:1:{number}"}
            for number, (key, subject, merchant, time, data) in enumerate(told)
        ]
    )
    day.bench.build()


def book(database: RegionDatabase, traded: TradedDay) -> None:
    """The journals that the events tell of, in PostgreSQL."""
    owner = Database(database.role_urls["web"], application_name="tests", pool_size=1)
    try:
        tenant = Tenant("", traded.merchant_id, livemode=False)
        with tenant_scope(owner, traded.region, tenant, correlation_id="req", now=datetime.now().astimezone()) as scope:
            told = [json.loads(event["data"]) for event in traded.events if event["type"] == "journal.posted"]
            journals = [
                Journal(
                    one["kind"],
                    one["source_id"],
                    datetime.fromisoformat(one["occurred_at"]),
                    tuple(Entry(e["account"], Money(e["amount_minor"], e["currency"])) for e in one["entries"]),
                )
                for one in told
            ]
            ledger.post_journals(scope, journals)
    finally:
        owner.dispose()


def pay_out(place: Bench) -> None:
    with open_published(place.warehouse) as build:
        rows = build.execute(
            """SELECT batch_number, report_date, net_currency, -net_minor, split_part(modification_reference, ' ', 1)
                 FROM fct_settlement_lines WHERE kind = 'payout' ORDER BY ALL"""
        ).fetchall()
    booked = entries_of([Payout(*row) for row in rows], 0)
    content = camt_statement.render(statements_of("MeridianEU", DAY, booked, {}))
    bank_landing.land(place.lake, place.region, parse_statement(content, name="s"), livemode=False)


def test_after_posting_the_books_hold_exactly_the_breaks(day: Reconciled) -> None:
    first = day.first
    assert (first.reversed, first.reopened, first.posted > len(PLANTS)) == (0, 0, True)
    again = day.post()
    assert (again.posted, again.reversed, again.unchanged) == (0, 0, first.posted)
    held = day.balances()
    ((not_settled,),) = day.rows("SELECT sum(booked_minor) FROM fct_recon_breaks WHERE class = 'missing_at_gateway'")
    ((in_transit,),) = day.rows(
        "SELECT coalesce(sum(amount_minor), 0) FROM intermediate.int_open_items WHERE is_in_transit"
    )
    assert held["gateway_clearing:sandbox"] == not_settled + in_transit
    ((unnamed,),) = day.rows(
        """SELECT sum(coalesce(settled_minor, 0) - coalesce(booked_minor, 0)) FROM fct_recon_breaks
            WHERE line_id IS NOT NULL"""
    )
    assert held["suspense:sandbox"] == -unnamed != 0
    assert held["bank_clearing:sandbox"] == 0  # what the gateway paid out has arrived
    ((fees,),) = day.rows(
        """SELECT sum(CASE kind WHEN 'fee' THEN -net_minor ELSE fees_minor END) FROM fct_settlement_lines
            WHERE kind <> 'payout'"""
    )
    assert sum(amount for name, amount in held.items() if name.startswith("gateway_fees:")) == fees
    assert sum(held.values()) == 0


def ask(day: Reconciled, name: str, **where: str) -> Result:
    with open_published(day.bench.warehouse) as build:
        return run(report_of(name), build, 1, Asked(DAY, DAY, livemode=False, where=where))


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_runs_and_becomes_every_file(day: Reconciled, name: str) -> None:
    result = ask(day, name)
    for form in FORMATS:
        assert render(result, form, "de-DE")
    with open_published(day.bench.warehouse) as build:
        page = report_page(build, result, day.bench.region.legal_home, {}, "de-DE").decode()
    assert page.count("<tr>") > len(result.rows)


def test_a_merchants_statement_has_every_line_between_its_opening_and_closing(day: Reconciled) -> None:
    day.post()
    rows = ask(day, "merchant-statement").dicts()
    assert rows
    for row in rows:
        where = {key: row[key] for key in ("merchant_id", "account", "currency")}
        lines = ask(day, "merchant-lines", **where).dicts()
        assert sum(line["amount_minor"] for line in lines) == row["closing_minor"] - row["opening_minor"]
        assert row["opening_minor"] + row["added_minor"] - row["taken_minor"] == row["closing_minor"]
    ((credited,),) = day.rows(
        "SELECT -sum(amount_minor) FROM intermediate.int_journal_entries WHERE account LIKE 'merchant_%'"
    )
    assert sum(row["closing_minor"] for row in rows) == credited > 0  # a credit of the books: owed to the merchant
    statements = ask(day, "merchant-statement")
    with open_published(day.bench.warehouse) as build:
        page = report_page(build, statements, "Issuer", {}, "de-DE").decode()
    everything = ask(day, "merchant-lines").dicts()
    assert everything
    assert all(line["journal_id"] in page for line in everything)


def test_fees_of_a_contract_lead_to_its_lines_and_their_anomalies(day: Reconciled) -> None:
    rows, anomalies = ask(day, "fee-analysis").dicts(), ask(day, "fee-anomalies").dicts()
    assert {row["contract"] for row in rows} >= {"sandbox"}
    for row in rows:
        where = {key: row[key] for key in ("gateway_account", "contract", "kind", "payment_method", "currency")}
        lines = ask(day, "fee-lines", **where).dicts()
        assert len(lines) == row["line_count"] > 0
        for name in ("fees_minor", "expected_minor", "difference_minor", "interchange_minor"):
            assert sum(line[name] or 0 for line in lines) == (row[name] or 0)
    named = {(one["gateway_account"], one["contract"], one["line_id"]) for one in anomalies}
    assert len(named) == sum(row["anomaly_count"] for row in rows)
    difference = sum(one["difference_minor"] for one in anomalies)
    assert difference == sum(row["difference_minor"] or 0 for row in rows)


def test_every_figure_leads_to_lines_that_add_up_to_it(day: Reconciled) -> None:
    for row in ask(day, "settlement-statement").dicts():
        where = {key: str(row[key]) for key in ("gateway_account", "batch_number", "currency")}
        lines = ask(day, "settlement-lines", **where).dicts()
        assert (
            (len(lines), sum(line["net_minor"] for line in lines)) == (row["line_count"], row["left_minor"]) != (0, 0)
        )
    for row in ask(day, "aged-breaks").dicts():
        where = {key: row[key] for key in ("class", "currency", "age_bucket")}
        assert len(ask(day, "breaks", **where).rows) == row["break_count"]
    for name in ("trial-balance", "suspense", "merchant-statement"):
        rows, keys = ask(day, name).dicts(), report_of(name).drill
        assert rows
        assert keys is not None
        for row in rows:
            entries = ask(day, keys.report, **{key: str(row[key]) for key in keys.keys}).dicts()
            assert sum(entry["amount_minor"] for entry in entries) == row["closing_minor"]
    assert sum(row["closing_minor"] for row in ask(day, "trial-balance").dicts()) == 0
    suspense = {row["account"]: row["closing_minor"] for row in ask(day, "suspense").dicts()}
    assert suspense["suspense:sandbox"] == day.balances()["suspense:sandbox"]


def test_breaks_are_listed_and_each_can_be_written_off_until_clearing_is_empty(day: Reconciled) -> None:
    day.post()
    maker, checker = day.books.person(), day.books.person()
    for one in listed(day):
        body = proposal(one, None, "given up", maker, None)
        made = day.command("recon/resolutions", body)
        day.command(f"recon/resolutions/{made['id']}/decisions", {"decision": "approved", "actor": checker})
    after = listed(day)
    assert {one.facts["class"] for one in after} == set(PLANTS)
    assert {one.status for one in after} == {"resolved"}
    assert one_break(after, after[0].id[:30]).resolution is not None
    with day.books.database.connect("postgres") as admin:
        left = admin.execute(
            """SELECT account, sum(amount_minor) FROM ledger_entries WHERE account IN ('suspense:sandbox')
                GROUP BY 1 HAVING sum(amount_minor) <> 0"""
        ).fetchall()
    assert left == []


def listed(day: Reconciled) -> list[Any]:
    with open_published(day.bench.warehouse) as build, day.books.database.connect("reader") as reader:
        return load_breaks(build, DAY, reader.execute(RESOLUTIONS))


def test_a_line_that_a_corrected_report_no_longer_has_is_taken_back(day: Reconciled) -> None:
    day.post()
    with open_published(day.bench.warehouse) as build, day.books.database.connect("reader") as reader:
        wanted = list(wanted_postings(build, day.bench.region, SINCE, date(2026, 12, 31), lambda *_: None))
        todo = plan(day.bench.region, wanted[1:], live_postings(reader, SINCE), build)
        assert todo.take_back == []  # the build still has it, of a day that was not asked for
        build.execute("CREATE TEMP TABLE fct_settlement_lines AS FROM fct_settlement_lines LIMIT 0")
        todo = plan(day.bench.region, wanted[1:], live_postings(reader, SINCE), build)
    assert [one.subject_id for one in todo.take_back] == [wanted[0].subject_id]


def test_journals_leave_for_other_ledgers_and_an_account_as_a_statement_that_foots(day: Reconciled) -> None:
    with open_published(day.bench.warehouse) as build:
        rows = erp.entries(build, SINCE, DAY + timedelta(9), livemode=False)
        accounts = sorted({row["account"] for row in rows})
        chart = {account: str(600 + number) for number, account in enumerate(accounts)}
        files = {layout: erp.to_files(rows, layout, chart)[0] for layout in erp.LAYOUTS}
        now = datetime(2026, 3, 20, tzinfo=day.bench.region.tz)
        content = erp.to_camt053(
            build, "gateway_clearing:sandbox", DAY, DAY, livemode=False, region="eu", now=now
        )  # fmt: skip
    for content_of in files.values():
        read = list(csv.DictReader(io.StringIO(content_of)))
        assert len(read) == len(rows) > 0
    debits = sum(Decimal(row["debit"] or 0) for row in csv.DictReader(io.StringIO(files["generic"])))
    credits_ = sum(Decimal(row["credit"] or 0) for row in csv.DictReader(io.StringIO(files["generic"])))
    assert debits == credits_ != 0
    found = inspect(Source.of_bytes(content.encode(), "s"))
    assert (found["foots"], found["problems"]) == (True, [])
    closing = sum(row["amount_minor"] for row in rows if row["account"] == "gateway_clearing:sandbox")
    assert day.balances()["gateway_clearing:sandbox"] == closing


def test_a_months_invoice_is_what_the_merchant_used(day: Reconciled) -> None:
    with open_published(day.bench.warehouse) as build:
        (made,) = invoices(build, DAY, load_pricing(), livemode=False)
        assert invoices(build, DAY - timedelta(40), load_pricing(), livemode=False) == []
    ((count, volume),) = day.rows("SELECT count(*), sum(captured_minor) FROM fct_payments WHERE status = 'succeeded'")
    quantities = {line["what"]: line["quantity"] for line in made["lines"]}
    assert (quantities["payments"], quantities["volume at 1.4 %"]) == (count, volume)
    assert made["amount_minor"] == sum(line["amount_minor"] for line in made["lines"])


def test_an_invoice_is_issued_and_taken_back_and_every_file_shows_it(
    day: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(_: object, __: object, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return dict(day.command(path, body))

    monkeypatch.setattr(billing, "command", command)
    region, env, actor = day.bench.region, day.books.database.env_for("reader"), day.books.person()
    with open_published(day.bench.warehouse) as build:
        drafts = invoices(build, DAY, load_pricing(), livemode=False, build_number=1)
    (made,) = billing.issue(region, env, drafts, actor)
    assert billing.issue(region, env, drafts, actor) == [made]
    head = {"merchant_id": made["merchant_id"], "livemode": False, "number": made["number"]}
    note = day.command("invoices/credit-notes", {**head, "actor": actor, "reason": "<b>wrong</b> plan"})
    found = billing.issued(region, env, DAY, livemode=False, merchant_id=None)
    assert [(one["number"], one["credits"]) for one in found] == [
        (made["number"], None),
        (note["number"], made["number"]),
    ]
    for form in billing.FORMATS:
        assert billing.render_invoices(region, env, found, DAY, form, "de-DE")
    assert "Grund: &lt;b&gt;wrong" in billing.render_invoices(region, env, found, DAY, "html", "de-DE").decode()
    page = billing.render_invoices(region, env, found, DAY, "html", "en-GB").decode()
    assert page.count("<article") == 2
    assert "Reason: &lt;b&gt;wrong&lt;/b&gt; plan" in page
    assert f"Takes back</dt><dd>{made['number']}" in page
