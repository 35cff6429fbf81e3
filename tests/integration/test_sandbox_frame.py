"""The card frame: what it allows, and, in a browser, the whole conversation with the page around it."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from tests.support.postgres import PostgresServer
from tests.support.sandbox import Psp, running_psp, sandbox_database

PARENT = b"""<!doctype html><title>shop</title><script>
var heard = [];
addEventListener("message", function (event) { heard.push({origin: event.origin, data: event.data}); });
</script>"""
EMBED = "src => { const f = document.createElement('iframe'); f.src = src; document.body.append(f); }"


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with sandbox_database(postgres_server.url) as url:
        yield url


@contextmanager
def serving(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def shop() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PARENT)

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def psp(database_url: str, shop: str) -> Iterator[Psp]:
    late = Flask("late")  # the port is known before the settings are
    server = make_server("127.0.0.1", 0, late, threaded=True)
    base_url = f"http://127.0.0.1:{server.port}"
    with running_psp(database_url, SANDBOX_URL=base_url, API_BASE_URL_EU=shop) as running, serving(server):
        late.wsgi_app = running.app.wsgi_app
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


def embed(page: Page, shop: str, psp: Psp) -> None:
    page.goto(shop)
    page.evaluate(
        EMBED,
        f"{psp.settings.base_url}/frame?account=MeridianEU&parent={shop}",
    )
    hear(page, "ready")


def hear(page: Page, kind: str) -> dict[str, Any]:
    """The first message of that kind, awaited."""
    found = page.wait_for_function(
        "k => heard.find(m => m.data.type === 'meridian-sandbox-' + k)", arg=kind, timeout=10_000
    )
    return dict(found.json_value())


def submit(page: Page) -> None:
    page.evaluate("frames[0].postMessage({type: 'meridian-sandbox-submit'}, '*')")


def test_the_frame_may_be_embedded_by_its_own_site_only(psp: Psp, shop: str) -> None:
    answer = psp.client.get("/frame", query_string={"account": "MeridianEU", "parent": shop})
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status_code == 200
    assert f"frame-ancestors {shop} " in policy + " "
    assert "script-src 'self';" in policy
    assert "TEST MODE" in answer.text
    for query in ({"parent": "https://evil.example"}, {}, {"account": "MeridianXX", "parent": shop}):
        refused = psp.client.get("/frame", query_string={"account": "MeridianEU"} | query)
        assert refused.status_code in {400, 422}


@pytest.mark.parametrize("as_form", [True, False])
def test_a_token_comes_for_json_and_for_a_form(psp: Psp, *, as_form: bool) -> None:
    card = {
        "account": "MeridianEU",
        "number": "4242 4242 4242 4242",
        "exp_month": "1",
        "exp_year": "2034",
        "cvc": "123",
    }
    answer = psp.client.post("/frame/tokens", **({"data": card} if as_form else {"json": card}))
    assert answer.status_code == 201
    assert set(answer.json) == {"token", "brand", "last4"}
    assert len(answer.json["token"]) == 26


def test_a_wrong_card_gets_a_problem_that_does_not_repeat_it(psp: Psp) -> None:
    answer = psp.tokenise("4242424242424241")
    assert (answer.status_code, answer.json["code"]) == (422, "incorrect_number")
    assert answer.json["errors"][0]["pointer"] == "/number"
    assert "4242" not in answer.text


@pytest.mark.browser
def test_in_a_browser_the_frame_hands_out_a_token_that_can_be_charged(psp: Psp, page: Page, shop: str) -> None:
    embed(page, shop, psp)
    fields = page.frames[1]
    fields.fill("#exp_year", "34")
    fields.fill("#cvc", "123")
    fields.locator("#number").press_sequentially("4242424242424242")
    assert fields.input_value("#number") == "4242 4242 4242 4242"
    fields.locator("#exp_month").press_sequentially("12")
    submit(page)
    heard = hear(page, "token")
    assert heard["origin"] == psp.settings.base_url
    assert (heard["data"]["brand"], heard["data"]["last4"]) == ("visa", "4242")
    assert hear(page, "resize")["data"]["height"] > 100
    answer = psp.post("/v1/payments", psp.order(None, payment_token=heard["data"]["token"]))
    assert answer.json["status"] == "captured"


@pytest.mark.browser
def test_in_a_browser_a_wrong_card_is_shown_and_told_and_can_be_corrected(psp: Psp, page: Page, shop: str) -> None:
    embed(page, shop, psp)
    submit(page)
    assert hear(page, "error")["data"]["field"] == "number"
    fields = page.frames[1]
    assert fields.get_attribute("#number", "aria-invalid") == "true"
    assert fields.inner_text("#number-error") != ""
    fields.click("summary")
    fields.click("text=4000 0025 0000 3155")
    submit(page)
    assert hear(page, "token")["data"]["last4"] == "3155"
    assert fields.inner_text("#number-error") == ""


@pytest.mark.browser
def test_in_a_browser_a_foreign_page_can_neither_show_the_frame_nor_make_it_speak(
    psp: Psp, page: Page, shop: str
) -> None:
    foreign = shop.replace("127.0.0.1", "localhost")
    page.goto(foreign)
    page.evaluate(
        EMBED,
        f"{psp.settings.base_url}/frame?account=MeridianEU&parent={shop}",
    )
    page.wait_for_function("frames.length === 1")
    page.wait_for_load_state("networkidle")
    assert page.frames[1].locator("#number").count() == 0
    assert page.evaluate("heard.length") == 0


@pytest.mark.browser
def test_in_a_browser_the_payer_comes_back_from_the_full_page_through_the_challenge(
    psp: Psp, page: Page, shop: str
) -> None:
    payment = psp.pay(None, return_url=f"{shop}/return", three_ds="force")
    page.goto(payment["action"]["url"])
    page.fill("#number", "4242424242424242")
    page.fill("#exp_month", "12")
    page.fill("#exp_year", "34")
    page.fill("#cvc", "123")
    page.click("button[type=submit] >> nth=0")
    page.click("button[value=pass]")
    page.wait_for_url(f"{shop}/return")
    assert psp.read(payment)["status"] == "captured"
