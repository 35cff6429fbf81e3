"""Secrets, card numbers and plain personal data stay where they belong.

Each searcher first has to find a live canary, planted where such values are allowed: a search that can find nothing
proves nothing.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from pipelines.demo import cards
from pipelines.demo.merchant import Merchant
from pipelines.demo.payer import Person, Visit
from pipelines.demo.traders import make_client
from pipelines.sandbox.control import Control
from regions.region import load_region
from tests.support import canary
from tests.support.local_stack import LocalStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

REGION = load_region("eu")
Searcher = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Planted:
    """`live` may be anywhere, the others in none of the stores that are searched."""

    live: str
    email: str
    name: str
    description: str
    metadata: str
    token: str
    code: str

    def forbidden(self, stack: LocalStack) -> list[str]:
        pans = (cards.GOOD, cards.CHALLENGED, cards.DECLINED)
        return [
            self.email,
            self.name,
            self.description,
            self.metadata,
            self.token,  # of the checkout session: whoever has it acts as the payer
            self.code,  # of the link
            *(card.number for card in pans),
            *(stack.region("eu")[name] for name in ("secret_key", "service_key", "key_pepper", "sandbox_api_key")),
        ]


@pytest.fixture(scope="module")
def planted(stack: LocalStack) -> Planted:
    """A challenged, a declined and a good card, by a payer and a merchant whose words can be recognised anywhere."""
    tag = secrets.token_hex(8)
    person = Person(name=f"Kanarienvogel {tag}", email=f"canary-{tag}@example.com")
    order = {
        "amount_minor": 6000,
        "currency": "EUR",
        "reference": f"LIVE-{tag}",
        "description": f"described-{tag}",
        "metadata": {"note": f"noted-{tag}"},
    }
    region = stack.region("eu")
    with make_client(1) as client:
        merchant = Merchant(client, region["api_url"], region["secret_key"])
        link = merchant.create_link(order)
        visit = Visit(client, person)
        checkout = visit.begin(link["url"])
        failed = visit.pay(checkout, cards.DECLINED)
        assert failed.state == "failed"
        paid = visit.pay(visit.look(failed.next_url), cards.CHALLENGED)
        assert paid.state == "succeeded"
        payment = next(p for p in merchant.payments_of(link["id"]) if p["status"] == "succeeded")
        merchant.refund(payment["id"], 100, "requested_by_customer")
        # Mistakes that people make: a key and a card where they do not belong.
        client.get(f"{region['api_url']}/v1/links", params={"key": region["secret_key"], "email": person.email})
        wrong = {"amount_minor": 1, "currency": "EUR", "reference": "X", "card_number": cards.GOOD.number}
        refused = client.post(
            f"{region['api_url']}/v1/links",
            json=wrong,
            headers={"Authorization": f"Bearer {region['secret_key']}", "Idempotency-Key": tag},
        )
        assert refused.status_code in {400, 422}
    day = REGION.accounting_date(datetime.now(UTC))
    Control.of(stack.stack["sandbox"]).settle("MeridianEU", day)
    on_day = ("--region", "eu", "--date", day.isoformat())
    stack.must("lake", "wait", *on_day)
    stack.must("warehouse", "build", *on_day, "--refresh")
    stack.must("recon", "run", *on_day)
    stack.must("warehouse", "publish", "--region", "eu")
    token = httpx.URL(checkout.url).path.rsplit("/", 1)[-1]
    code = httpx.URL(link["url"]).path.rsplit("/", 1)[-1]
    return Planted(order["reference"], person.email, person.name, order["description"], f"noted-{tag}", token, code)


def lake_environment(stack: LocalStack) -> dict[str, str]:
    region = stack.region("eu")
    return {"DATABASE_URL_EU": region["role_urls"]["lake"], "LAKE_URI_EU": region["lake_uri"]}


SEARCHERS: dict[str, Callable[[LocalStack], Searcher]] = {
    "outbox": lambda stack: (
        lambda needles: canary.search_postgres(stack.region("eu")["database_url"], needles, ["outbox"])
    ),
    "kafka": lambda stack: lambda needles: canary.search_kafka(stack.region("eu")["kafka"], "eu", needles),
    "lake decoded": lambda stack: lambda needles: canary.search_lake(REGION, lake_environment(stack), needles),
    "warehouse decoded": lambda stack: (
        lambda needles: canary.search_warehouse(Path(stack.region("eu")["warehouse_path"]), needles)
    ),
}
FOLDERS = {"lake raw": "lake_uri", "warehouse raw": "warehouse_uri", "logs raw": None}


def folder(stack: LocalStack, uri_name: str | None) -> Path:
    return stack.state / "logs" if uri_name is None else Path(stack.region("eu")[uri_name].removeprefix("file://"))


@pytest.mark.parametrize("store", SEARCHERS)
def test_decoded_content_holds_no_secret(stack: LocalStack, planted: Planted, store: str) -> None:
    search = SEARCHERS[store](stack)
    assert search([planted.live]), f"the search of the {store} does not even find what is there"
    assert search(planted.forbidden(stack)) == []


@pytest.fixture
def stray(stack: LocalStack, planted: Planted) -> Iterator[Callable[[Path], None]]:
    """Plants the live canary as a file of its own, and takes it away again."""
    made: list[Path] = []

    def plant(where: Path) -> None:
        made.append(where / "canary-proof.log")
        made[-1].write_text(planted.live)

    yield plant
    for path in made:
        path.unlink()


@pytest.mark.parametrize("store", FOLDERS)
def test_raw_bytes_hold_no_secret(
    stack: LocalStack, planted: Planted, stray: Callable[[Path], None], store: str
) -> None:
    where = folder(stack, FOLDERS[store])
    stray(where)
    assert any("canary-proof" in hit for hit in canary.search_files(where, [planted.live]))
    assert canary.search_files(where, planted.forbidden(stack)) == []


def test_the_logs_are_those_of_the_processes_that_were_asked(stack: LocalStack, planted: Planted) -> None:
    logs = {path.name for path in (stack.state / "logs").iterdir()}
    assert {"web-eu.log", "worker-eu.log", "relay-eu.log", "ingest-eu.log", "psp.log", "psp-sender.log"} <= logs


def test_the_business_database_holds_no_plain_payer_card_or_key(stack: LocalStack, planted: Planted) -> None:
    url = stack.region("eu")["database_url"]
    allowed = {planted.description, planted.metadata, planted.code}  # what links are made of stays in PostgreSQL
    assert canary.search_postgres(url, [planted.description])
    assert canary.search_postgres(url, [word for word in planted.forbidden(stack) if word not in allowed]) == []


def test_the_simulated_gateway_keeps_no_card_number(stack: LocalStack, planted: Planted) -> None:
    url = stack.stack["sandbox"]["database_url"]
    assert canary.search_postgres(url, [cards.CHALLENGED.number[-4:]])
    assert canary.search_postgres(url, [cards.CHALLENGED.number, cards.DECLINED.number, cards.GOOD.number]) == []
