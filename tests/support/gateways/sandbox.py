"""The simulated PSP as the contract suite's gateway."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from regions.money import Money
from tests.support.gateways.bench import Bench, Message
from tests.support.postgres import PostgresServer
from tests.support.sandbox import API_KEYS, CONTROL_KEY, WEBHOOK_SECRETS, sandbox_database, settings
from tests.support.serving import free_port, serving
from web.gateways.sandbox.adapter import SandboxGateway, SandboxSettings
from web.sandbox import clockwork
from web.sandbox.app import create_app
from web.sandbox.database import Database
from web.sandbox.webhooks.signature import HEADER, sign

CARDS = {
    "succeed": "4242424242424242",
    "decline": "4000000000000002",
    "insufficient_funds": "4000000000009995",
    "expired": "4000000000000069",
    "challenge": "4000002500003155",
    "late": "4000000000000341",
    "lost": "4000000000000119",
    "broken": "4000000000005019",
    "later_asks": "4000003800000446",
}


@contextmanager
def sandbox_bench(server: PostgresServer) -> Iterator[Bench]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with sandbox_database(server.url) as database_url:
        chosen = settings(database_url, SANDBOX_URL=url, SANDBOX_HOLD_SECONDS="1.2", SANDBOX_DISPUTE_SECONDS="0")
        database = Database(database_url)
        client = httpx.Client(base_url=url, trust_env=False)

        def token(behaviour: str) -> str:
            card = {"account": "MeridianEU", "number": CARDS[behaviour]}
            card |= {"exp_month": "12", "exp_year": "34", "cvc": "123"}
            return str(client.post("/frame/tokens", json=card).json()["token"])

        def answer_challenge(action: str, is_passed: bool) -> dict[str, str]:  # noqa: FBT001
            client.post(action, data={"outcome": "pass" if is_passed else "fail"})
            return {}

        def pay_on_page(action: str) -> dict[str, str]:
            card = {"number": CARDS["succeed"], "exp_month": "12", "exp_year": "34", "cvc": "123"}
            assert client.post(action, data=card).status_code == 303
            return {}

        def webhooks() -> list[Message]:
            clockwork.advance(chosen, database)
            with database.transaction() as connection:
                rows = connection.execute(
                    "UPDATE webhook_events SET send_after = 'infinity' WHERE send_after < 'infinity' RETURNING body, id"
                ).fetchall()
            secret = WEBHOOK_SECRETS["eu"]
            rows.sort(key=lambda row: row["id"])
            return [
                Message({HEADER: sign(secret, row["body"].encode(), int(time.time()))}, row["body"].encode())
                for row in rows
            ]

        def charged_minor(attempt_id: str) -> list[int]:
            with database.transaction() as connection:
                rows = connection.execute(
                    "SELECT captured_minor FROM payments WHERE reference = %s AND captured_minor > 0", [attempt_id]
                ).fetchall()
            return [row["captured_minor"] for row in rows]

        def dispute(payment_reference: str) -> None:
            body = {"account": "MeridianEU", "payment_id": payment_reference, "reason": "product_not_received"}
            answer = client.post("/_control/disputes", json=body, headers={"Authorization": f"Bearer {CONTROL_KEY}"})
            assert answer.status_code == 201, answer.text

        gateway = SandboxGateway(
            SandboxSettings(
                url, "MeridianEU", API_KEYS["eu"], WEBHOOK_SECRETS["eu"], deadlines=httpx.Timeout(2.0, read=0.6)
            )
        )
        with serving(create_app(chosen, database), port):
            yield Bench(
                gateway,
                token,
                answer_challenge,
                pay_on_page,
                webhooks,
                charged_minor,
                dispute,
                amounts=[Money(1, "EUR"), Money(999_999_999_999, "EUR"), Money(1999, "HUF"), Money(500, "JPY")],
            )
        client.close()
        database.close()
