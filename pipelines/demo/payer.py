"""One payer's browser, without a screen: the real pages, forms and frames, over real HTTP.

A payer trusts what pages say and knows nothing else: no API key, no database.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from pipelines.demo.cards import Card
from pipelines.demo.pages import Page, PageError, parse_page

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1"
USER_AGENTS: Final[Mapping[str, str]] = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "mobile": f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {_WEBKIT} Mobile/15E148 Safari/604.1",
    "tablet": f"Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) {_WEBKIT} Safari/604.1",
}
REDIRECTS_MAX = 10
SETTLED: Final = frozenset({"succeeded", "failed", "superseded", "notice"})


@dataclass(frozen=True)
class Person:
    """Who pays, and from what: made up, like everything here."""

    name: str
    email: str
    device: str = "desktop"
    language: str = "en"
    address: str = ""  # what a load balancer in front of us would say; the local stack believes it


@dataclass
class Visit:
    """One payer's visit to a link. Pages come from `client`, which several visits may share (it keeps no cookies)."""

    client: httpx.Client
    person: Person
    patience_s: float = 120.0  # a gateway that does not know a payment gets over a minute to find it
    trail: list[str] = field(default_factory=list)

    def look(self, link_url: str) -> Page:
        """Open the link, as a person or a chat app's preview does. Writes nothing."""
        return self._get(link_url)

    def begin(self, link_url: str) -> Page:
        """Open the link and go to checkout; the answer is the checkout page, or what the link says instead."""
        page = self.look(link_url)
        if not page.forms:
            return page
        form = page.form()
        return self._follow(self._post(form.action, form.filled()))

    def pay(self, checkout: Page, card: Card, *, passes_challenge: bool = True) -> Page:
        """Fill in the card frame and the form, answer any challenge, wait for a definite page."""
        return self._submit(checkout, self.tokenise(checkout, card), card, passes_challenge=passes_challenge)

    def pay_without_script(self, checkout: Page, card: Card, *, passes_challenge: bool = True) -> Page:
        """Without JavaScript no token is made: the gateway's own page takes the card."""
        return self._submit(checkout, "", card, passes_challenge=passes_challenge)

    def tokenise(self, checkout: Page, card: Card) -> str:
        """What the card frame's script does: the card goes from the payer to the gateway, and a token comes back."""
        frame = next((url for url in checkout.frames if urlsplit(url).path.endswith("/frame")), None)
        if frame is None:
            raise PageError(f"The checkout page at {checkout.url} has no card frame.")
        self._get(frame)
        body = {
            "account": parse_qs(urlsplit(frame).query)["account"][0],
            "number": card.number,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "cvc": card.cvc,
        }
        response = self.client.post(urljoin(frame, "/frame/tokens"), json=body, headers=self._headers())
        if response.status_code != httpx.codes.CREATED:
            raise PageError(f"The card frame refused the card: HTTP {response.status_code}.")
        return str(response.json()["token"])

    def _submit(self, checkout: Page, token: str, card: Card, *, passes_challenge: bool) -> Page:
        form = checkout.form("csrf", "email", "name", "payment_token")
        answers = form.filled(email=self.person.email, name=self.person.name, payment_token=token)
        page = self._follow(self._post(form.action, answers))
        for _ in range(REDIRECTS_MAX):
            if any("outcome" in form.names for form in page.forms):
                challenge = page.form("outcome")
                outcome = "pass" if passes_challenge else "fail"
                page = self._follow(self._post(challenge.action, challenge.filled(outcome=outcome)))
            elif any("number" in form.names for form in page.forms):
                page = self._card_page(page, card)
            elif page.state == "action":
                page = self._get(page.next_url)
            else:
                return self._settled(page)
        raise PageError(f"{checkout.url} leads from one challenge to the next without an end.")

    def _card_page(self, page: Page, card: Card) -> Page:
        form = page.form("number", "cvc")
        typed = {
            "number": card.number,
            "exp_month": str(card.exp_month),
            "exp_year": str(card.exp_year),
            "cvc": card.cvc,
        }
        return self._follow(self._post(form.action, form.filled(**typed)))

    def _settled(self, page: Page) -> Page:
        """Look again, as the page itself does, until it says how the payment ended or patience ends."""
        deadline = time.monotonic() + self.patience_s
        pause_s = 0.2
        while page.state not in SETTLED and time.monotonic() < deadline:
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 2.0)
            page = self._follow(self._request("GET", page.url))
        return page

    def _get(self, url: str) -> Page:
        return self._follow(self._request("GET", url))

    def _post(self, url: str, values: Mapping[str, str]) -> httpx.Response:
        return self._request("POST", url, data=values)

    def _request(self, method: str, url: str, data: Mapping[str, str] | None = None) -> httpx.Response:
        self.trail.append(f"{method} {urlsplit(url).path}")
        return self.client.request(method, url, data=data, headers=self._headers())

    def _follow(self, response: httpx.Response) -> Page:
        for _ in range(REDIRECTS_MAX):
            if not response.has_redirect_location:
                return parse_page(str(response.url), response.status_code, response.text)
            response = self._request("GET", urljoin(str(response.url), response.headers["location"]))
        raise PageError(f"{response.url} redirects without an end.")

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": USER_AGENTS[self.person.device], "Accept-Language": self.person.language}
        return headers | ({"X-Forwarded-For": self.person.address} if self.person.address else {})
