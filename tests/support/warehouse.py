"""A traded day for the warehouse's tests: lake rows, the gateway's settlement, and what both should add up to."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.recon.formats import adyen
from pipelines.recon.landing import SETTLEMENT_LINES, land
from regions.events import registry, validate_data
from regions.ids import new_id
from regions.region import Region, load_region
from warehouse.builds import Warehouse
from warehouse.inputs import Inputs
from warehouse.lake import LAKE_SEQ, Lake
from warehouse.lake_bank import BANK_ENTRIES, BANK_STATEMENTS
from warehouse.lake_catalog import RegionCatalog
from warehouse.lake_files import table_files
from warehouse.lake_fx import FX_RATES
from warehouse.lake_tables import EVENTS
from web.sandbox.settlement import adyen_report
from web.sandbox.settlement.domain import Item, booking_time, closing_lines, line_of
from web.sandbox.settlement.planting import Invention, Plant, plant_errors

DAY = date(2026, 3, 14)


@dataclass
class TradedDay:
    """Sessions of one day: `events` are lake rows, `items` what the gateway moved, `expected` what must come out."""

    region: Region
    day: date = DAY
    seed: int = 1
    events: list[dict[str, Any]] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    expected: Counter[str] = field(default_factory=Counter)
    merchant_id: str = ""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.merchant_id = new_id("merchant", self.region.code)
        self._sequences: Counter[str] = Counter()
        self._clock, _ = self.region.day_bounds(self.day)
        self._clock += timedelta(hours=6)
        self._last_reference = 8_516_000_000_000_000 + self.seed * 1_000_000

    def trade(self, sessions: int) -> "TradedDay":
        """Let payers come, each with an outcome of its own."""
        for _ in range(sessions):
            self.session(
                self.random.choice(["abandoned", "declined", "paid", "paid", "paid", "refunded", "partly_refunded"])
            )
        return self

    def link(self, **terms: Any) -> str:
        """A link that nobody has opened yet; its id."""
        link_id = new_id("link", self.region.code)
        fixed = {"usage": "single", "pricing": "fixed", "capture_method": "automatic", "created_at": self._now()}
        price = {"amount_minor": 100, "currency": self.region.currencies[0], "reference": "INV-1"}
        self._append("link.created", link_id, link_id=link_id, **price | fixed | terms)
        return link_id

    def tell_of_link(self, name: str, link_id: str, **data: Any) -> None:
        """One more event of a link."""
        self._append(name, link_id, link_id=link_id, **data)

    def session(self, outcome: str, amount_minor: int | None = None, currency: str | None = None) -> str:
        """One visit that ends in `outcome`; returns the payment's id, or the session's if it was abandoned."""
        code, rng = self.region.code, self.random
        link_id, session_id, payment_id, attempt_id = (
            new_id(kind, code) for kind in ("link", "session", "payment", "attempt")
        )
        currency = currency or self.region.currencies[0]
        amount = amount_minor or rng.randint(100, 50_000)
        price = {"amount_minor": amount, "currency": currency}
        visit = {"link_id": link_id, "session_id": session_id}
        channel = {"channel": rng.choice(["email", "sms", "qr"])}
        self._append(
            "link.created",
            link_id,
            link_id=link_id,
            **price,
            reference="INV-1",
            usage="single",
            pricing="fixed",
            capture_method="automatic",
            **channel,
            created_at=self._now(),
        )
        self._append(
            "checkout.opened",
            session_id,
            **visit,
            **price,
            locale=self.region.default_locale,
            device_class=rng.choice(["desktop", "mobile"]),
            **channel,
            opened_at=self._now(),
        )
        self.expected["sessions"] += 1
        if outcome == "abandoned":
            return session_id
        self.expected["submitted"] += 1
        gateway = {"gateway": "sandbox", "gateway_account": self.region.gateways[0].account}
        self._append(
            "checkout.submitted", session_id, **visit, payment_id=payment_id, method="card", submitted_at=self._now()
        )
        self._append(
            "payment.created",
            payment_id,
            payment_id=payment_id,
            **visit,
            **price,
            method="card",
            created_at=self._now(),
        )
        self._append(
            "payment.attempted",
            payment_id,
            payment_id=payment_id,
            attempt_id=attempt_id,
            **gateway,
            attempted_at=self._now(),
        )
        if outcome == "declined":
            self._append(
                "payment.failed",
                payment_id,
                payment_id=payment_id,
                **visit,
                attempt_id=attempt_id,
                gateway="sandbox",
                **price,
                failure_code="card_declined",
                failed_at=self._now(),
            )
            return payment_id
        reference = self._reference()
        at = self._now()
        self._append(
            "payment.succeeded",
            payment_id,
            payment_id=payment_id,
            **visit,
            attempt_id=attempt_id,
            **gateway,
            gateway_reference=reference,
            **price,
            method="card",
            card_brand="visa",
            is_late=False,
            succeeded_at=at,
        )
        self._append("checkout.completed", session_id, **visit, payment_id=payment_id, completed_at=at)
        self._append("link.completed", link_id, link_id=link_id, payment_id=payment_id, completed_at=at)
        self._journal("payment", payment_id, currency, amount, at)
        self.items.append(
            Item(reference, self._reference(), attempt_id, "visa", currency, amount, datetime.fromisoformat(at))
        )
        self.expected |= Counter(
            {"paid": self.expected["paid"] + 1, f"captured_{currency}": self.expected[f"captured_{currency}"] + amount}
        )
        if outcome in {"refunded", "partly_refunded"}:
            self._refund(
                payment_id, reference, attempt_id, currency, amount if outcome == "refunded" else max(1, amount // 3)
            )
        return payment_id

    def _refund(self, payment_id: str, payment_reference: str, attempt_id: str, currency: str, amount: int) -> None:
        refund_id, reference = new_id("refund", self.region.code), self._reference()
        body = {"refund_id": refund_id, "payment_id": payment_id, "amount_minor": amount, "currency": currency}
        self._append("refund.created", refund_id, **body, created_at=self._now())
        at = self._now()
        self._append(
            "refund.succeeded",
            refund_id,
            **body,
            gateway="sandbox",
            gateway_account=self.region.gateways[0].account,
            gateway_reference=reference,
            succeeded_at=at,
        )
        self._journal("refund", refund_id, currency, -amount, at)
        self.items.append(
            Item(
                payment_reference,
                "",
                attempt_id,
                "visa",
                currency,
                amount,
                datetime.fromisoformat(at),
                reference,
                refund_id,
            )
        )
        self.expected[f"refunded_{currency}"] += amount

    def dispute(self, payment_id: str) -> str:
        """An inquiry about a payment: no money has moved."""
        dispute_id = new_id("dispute", self.region.code)
        paid = self._paid(payment_id)
        self._append(
            "dispute.opened",
            dispute_id,
            dispute_id=dispute_id,
            payment_id=payment_id,
            amount_minor=paid["amount_minor"],
            currency=paid["currency"],
            gateway="sandbox",
            gateway_account=paid["gateway_account"],
            gateway_reference=self._reference(),
            reason="fraudulent",
            status="inquiry",
            opened_at=self._now(),
        )
        return dispute_id

    def charge_back(self, dispute_id: str) -> None:
        """The inquiry has become a chargeback: of that only the journal tells."""
        told = json.loads(next(e["data"] for e in self.events if e["subject"] == dispute_id))
        paid, at = self._paid(told["payment_id"]), self._now()
        self._journal("dispute", dispute_id, told["currency"], -told["amount_minor"], at)
        self.items.append(
            Item(
                paid["gateway_reference"],
                "",
                paid["attempt_id"],
                "visa",
                told["currency"],
                -told["amount_minor"],
                datetime.fromisoformat(at),
                dispute_id=told["gateway_reference"],
                movement_id="m",
            )
        )

    def _paid(self, payment_id: str) -> dict[str, Any]:
        found = (e for e in self.events if e["type"] == "payment.succeeded" and e["subject"] == payment_id)
        return dict(json.loads(next(found)["data"]))

    def _journal(self, kind: str, source_id: str, currency: str, amount: int, at: str) -> None:
        journal_id = new_id("journal", self.region.code)
        entries = [
            {"line": 1, "account": "gateway_clearing:sandbox", "currency": currency, "amount_minor": amount},
            {"line": 2, "account": "merchant_payable_pending", "currency": currency, "amount_minor": -amount},
        ]
        accounting_date = self.region.accounting_date(datetime.fromisoformat(at)).isoformat()
        self._append(
            "journal.posted",
            journal_id,
            journal_id=journal_id,
            kind=kind,
            source_id=source_id,
            occurred_at=at,
            booked_at=at,
            accounting_date=accounting_date,
            entries=entries,
        )

    def _append(self, event_type: str, subject: str, /, **data: Any) -> None:
        validate_data(event_type, data)  # the generator obeys the contract, or its tests prove nothing
        self._sequences[subject] += 1
        number = len(self.events) + 1
        family = registry()[event_type].family
        self.events.append(
            {
                "event_id": f"00000000-0000-7000-8000-{self.seed:04d}{number:08d}",
                "type": event_type,
                "family": family,
                "subject": subject,
                "sequence": self._sequences[subject],
                "merchant_id": self.merchant_id,
                "livemode": False,
                "time": self._clock,
                "schema_version": 1,
                "correlation_id": None,
                "data": json.dumps(data),
                "pii": json.dumps({"ciphertext": "c2VjcmV0"}) if event_type == "payment.created" else None,
                "region": self.region.code,
                "kafka_topic": f"{self.region.code}.{family}.v1",
                "kafka_partition": 0,
                "position": f"1:{number}:1",
                "lake_seq": 1,
                "ingested_at": self._clock,
            }
        )

    def _now(self) -> str:
        self._clock += timedelta(milliseconds=self.random.randint(50, 900))
        return self._clock.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _reference(self) -> str:
        self._last_reference += 1
        return str(self._last_reference)

    def report(self, plants: Sequence[Plant] = (), batch_number: int = 1) -> tuple[bytes, list[dict[str, Any]]]:
        """The gateway's settlement report of the day, and the answer key of the errors planted in it."""
        account = self.region.gateways[0].account
        booked_at = booking_time(self.day, self.region.tz)
        lines = [line_of(item, booked_at) for item in self.items]
        invention = Invention(self.region.currencies[0], new_id("attempt", self.region.code), self._reference)
        lines, key = plant_errors(lines, plants, lines[0], lambda: invention)
        lines += closing_lines(lines, account, batch_number, self.day, booked_at)
        return adyen_report.render(account, self.region.tz, [(batch_number, lines)]).encode(), key


@dataclass
class Bench:
    """A lake and a warehouse in a folder, without a database: the catalog is a SQLite file."""

    region: Region
    lake: Lake
    warehouse: Warehouse

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        table = self.lake.ensure_table(EVENTS)
        table.append(pa.Table.from_pylist(list(rows), schema=EVENTS.schema.as_arrow()))

    def ingest(self, rows: Sequence[dict[str, Any]], lake_seq: int) -> None:
        """Append as the ingest does: numbered, with the number in the same commit."""
        table = self.lake.ensure_table(EVENTS)
        numbered = [row | {"lake_seq": lake_seq} for row in rows]
        with table.transaction() as transaction:
            transaction.append(pa.Table.from_pylist(numbered, schema=EVENTS.schema.as_arrow()))
            transaction.set_properties({LAKE_SEQ: str(lake_seq)})

    def land(self, content: bytes, day: date = DAY) -> None:
        report = adyen.parse_report(content, name="report", gateway="sandbox", report_date=day)
        land(self.lake, self.region, report, {}, livemode=False)

    def inputs(self) -> Inputs:
        events, lines = (self.lake.ensure_table(definition) for definition in (EVENTS, SETTLEMENT_LINES))
        rates, statements, entries = (
            table_files(self.lake.ensure_table(definition)) for definition in (FX_RATES, BANK_STATEMENTS, BANK_ENTRIES)
        )
        return Inputs(
            table_files(events),
            table_files(lines),
            fx_rates=rates,
            bank_statements=statements,
            bank_entries=entries,
        )

    def build(self, day: date = DAY) -> None:
        """Build, reconcile, publish."""
        inputs = self.inputs()
        with self.warehouse.lock():
            self.warehouse.reconcile(self.warehouse.build(day, inputs), inputs, {})
            self.warehouse.publish()


@contextmanager
def bench(folder: Path, region: str = "eu") -> Iterator[Bench]:
    """An empty lake and warehouse in `folder`."""
    found = load_region(region)
    lake_uri = f"file://{folder}/lake/{region}"
    catalog = RegionCatalog(f"lake_{region}", uri=f"sqlite:///{folder}/catalog.db", warehouse=lake_uri)
    lake = Lake(catalog, lake_uri)
    yield Bench(found, lake, Warehouse(found, folder / "warehouse" / region))
    lake.close()


def digest(path: Path) -> dict[str, Any]:
    """Every table of a build, as an order-free checksum."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema != 'parts' ORDER BY ALL"
        ).fetchall()
        return {
            f"{schema}.{name}": connection.execute(
                f"SELECT count(*), bit_xor(hash(t)), sum(hash(t)) FROM {schema}.{name} AS t"
            ).fetchone()
            for schema, name in tables
        }
