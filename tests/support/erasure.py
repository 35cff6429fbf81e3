"""A region at work for tests of retention: payers who pay, a stream that runs, and the retention job beside them."""

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipelines.demo import jobs
from pipelines.retention import store
from pipelines.retention.opening import Office, opened
from pipelines.retention.planning import make_plan
from pipelines.retention.running import run
from pipelines.retention.store import Stored
from regions.region import Region, load_region
from tests.support.opened import open_shop
from tests.support.postgres import PostgresServer
from tests.support.shop import DECLINE, SUCCEED, Shop
from tests.support.stream import REPOSITORY, Stream, running_broker, stream_on


@dataclass
class Payer:
    """A person who has tried to pay, and what we keep of that."""

    email: str
    name: str
    subject: str
    payment: str
    session: str
    ciphertext: str
    email_token: str

    @property
    def values(self) -> list[str]:
        return [self.email, self.name, self.ciphertext, self.email_token]


@dataclass
class Bureau:
    """The region with everything that retention touches."""

    shop: Shop
    stream: Stream

    @property
    def region(self) -> Region:
        return load_region("eu")

    @property
    def env(self) -> dict[str, str]:
        urls = {"SANDBOX_URL": self.shop.sandbox_url, "API_BASE_URL_EU": self.shop.web_url}
        return self.stream.env("retention") | urls

    @property
    def today(self) -> date:
        return self.region.accounting_date(datetime.now(UTC))

    @contextmanager
    def office(self) -> Iterator[Office]:
        with opened(self.region, self.env) as office:
            yield office

    def pay(self, tag: str, card: str, **fields: str) -> Payer:
        """A person pays, or is declined."""
        email, name = f"{tag}@payer.example", f"Person {tag.title()} Example"
        payer = self.shop.payer()
        payer.pay(card, email=email, name=name, **fields)
        while self.shop.deliver_webhooks():
            pass
        self.shop.resolve()
        payment = self.shop.payment(payer.link)
        (row,) = self.shop.rows(
            """SELECT s.id, s.subject_id, s.payer ->> 'ciphertext' AS ciphertext, d.email_token
                 FROM payments p JOIN checkout_sessions s ON s.id = p.session_id
                 JOIN data_subjects d ON d.id = s.subject_id WHERE p.id = %s""",
            payment["id"],
        )
        return Payer(email, name, row["subject_id"], payment["id"], row["id"], row["ciphertext"], row["email_token"])

    def declined(self, tag: str) -> Payer:
        return self.pay(tag, DECLINE)

    def paid(self, tag: str) -> Payer:
        return self.pay(tag, SUCCEED)

    def ask(self, payer: Payer, key: str | None = None, **fields: str) -> Any:
        """The payer asks to be erased, through the internal API."""
        body = {"subject_id": payer.subject, "requested_by": "the payer", "reason": "asked by mail"} | fields
        return self.shop.http.post(
            f"{self.shop.web_url}/internal/v1/erasure_requests",
            json=body,
            headers={
                "Authorization": f"Bearer {self.env['SERVICE_KEY_EU']}",
                "Idempotency-Key": key or base64.b32encode(payer.subject.encode()).decode()[:40],
            },
        )

    def settle(self) -> None:
        """Let the lake hold everything that was committed."""
        self.stream.await_lake(self.stream.committed())

    def planned(self, office: Office) -> Stored:
        plan = make_plan(office.at, self.today)
        store.keep(office.at.connection, plan, self.today)
        return store.latest(office.at.connection, "eu", self.today, plan.hash.hex())

    def approved(self, office: Office) -> Stored:
        stored = self.planned(office)
        store.approve(office.at.connection, stored.hash, "Grace Hopper")
        return store.latest(office.at.connection, "eu", self.today, stored.hash.hex())

    def run(self, office: Office, stored: Stored) -> Stored:
        return run(office.at, office.vault, office.env, self.today, stored.hash.hex(), lambda _: None)

    def command(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `meridian …` as a person does."""
        return jobs.run(arguments, self.env | env, REPOSITORY)


@contextmanager
def open_bureau(server: PostgresServer, folder: Path) -> Iterator[Bureau]:
    """Start it all; relay and ingest run as processes."""
    with (
        open_shop(server) as shop,
        running_broker(folder) as broker,
        stream_on(shop.database, broker.bootstrap, folder) as stream,
    ):
        stream.start("relay")
        stream.start("ingest")
        yield Bureau(shop, stream)


__all__ = ["Bureau", "Payer", "open_bureau"]
