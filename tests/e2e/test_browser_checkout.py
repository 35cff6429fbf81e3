"""A payer in a real browser: the card typed into the gateway's own frame, a 3DS challenge, and no JavaScript at all."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipelines.demo.merchant import Merchant
from pipelines.demo.traders import make_client
from tests.support.local_stack import LocalStack

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.xdist_group("stack")]

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def merchant(stack: LocalStack) -> Iterator[Merchant]:
    with make_client(1) as client:
        yield Merchant(client, stack.region("eu")["api_url"], stack.region("eu")["secret_key"])


def link(merchant: Merchant, reference: str) -> dict[str, Any]:
    return merchant.create_link({"amount_minor": 4999, "currency": "EUR", "reference": reference})


def open_checkout(page: Page, url: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.locator("form[action$='/sessions'] button[type=submit]").click()
    page.locator("#email").fill("payer@example.com")
    page.locator("#name").fill("Ada Lovelace")


def type_card(scope: Any, number: str) -> None:
    scope.locator("input[name=number]").fill(number)
    scope.locator("input[name=exp_month]").fill("12")
    scope.locator("input[name=exp_year]").fill("34")
    scope.locator("input[name=cvc]").fill("123")


def expect_state(page: Page, state: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-state", state, timeout=PATIENCE_MS)


def only_payment(merchant: Merchant, link_id: str) -> dict[str, Any]:
    [payment] = merchant.payments_of(link_id)
    return payment


def test_pays_through_the_card_frame_and_a_challenge(browser: Browser, merchant: Merchant, stack: LocalStack) -> None:
    made = link(merchant, "BROWSER-3DS")
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    seen: list[str] = []
    page.on("request", lambda request: seen.append(f"{request.url} {request.post_data or ''}"))

    open_checkout(page, made["url"])
    type_card(page.frame_locator("#card-frame iframe"), "4000002500003155")
    page.locator("#checkout button[type=submit]").click()
    expect(page).to_have_url(re.compile(re.escape(stack.stack["sandbox"]["url"]) + "/3ds/"), timeout=PATIENCE_MS)
    page.locator("button[name=outcome][value=pass]").click()
    expect_state(page, "succeeded")

    assert only_payment(merchant, made["id"])["status"] == "succeeded"
    assert errors == []
    assert context.cookies() == []
    # The card's number went to the gateway's origin, and to nobody else.
    to = {request.split("/")[2] for request in seen if "4000002500003155" in request.replace(" ", "")}
    assert to == {stack.stack["sandbox"]["url"].split("/")[2]}
    context.close()


def test_refusing_the_challenge_fails_and_may_be_tried_again(browser: Browser, merchant: Merchant) -> None:
    made = link(merchant, "BROWSER-RETRY")
    page = browser.new_page()
    open_checkout(page, made["url"])
    type_card(page.frame_locator("#card-frame iframe"), "4000002500003155")
    page.locator("#checkout button[type=submit]").click()
    page.locator("button[name=outcome][value=fail]").click()
    expect_state(page, "failed")
    assert only_payment(merchant, made["id"])["status"] == "failed"

    page.locator("a.primary").click()
    expect_state(page, "checkout")
    page.close()


def test_pays_without_javascript(browser: Browser, merchant: Merchant, stack: LocalStack) -> None:
    made = link(merchant, "BROWSER-NO-SCRIPT")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    open_checkout(page, made["url"])
    page.locator("#checkout button[type=submit]").click()
    expect(page).to_have_url(re.compile(re.escape(stack.stack["sandbox"]["url"]) + "/pay/"), timeout=PATIENCE_MS)
    type_card(page, "4242424242424242")
    page.locator("form button.main").click()
    while "/3ds/" in page.url:  # the region may ask for a second factor
        page.locator("button[name=outcome][value=pass]").click()
    expect_state(page, "succeeded")
    assert only_payment(merchant, made["id"])["status"] == "succeeded"
    context.close()
