"""Merchants and payers act out their script, several at once, over real HTTP."""

import ipaddress
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

import httpx

from pipelines.demo import cards
from pipelines.demo.merchant import ApiError, Merchant
from pipelines.demo.pages import PageError
from pipelines.demo.payer import Person, Visit
from pipelines.demo.script import PAYS, Aftermath, Behaviour, Errand, VisitPlan

_PEOPLE = ("Ada Lovelace", "Alan Turing", "Grace Hopper", "Emmy Noether", "Srinivasa Ramanujan", "Mary Jackson")
_ATTACKERS_ADDRESS = "203.0.113.66"
_CARDS = {
    Behaviour.PAY: cards.GOOD,
    Behaviour.PAY_WITHOUT_SCRIPT: cards.GOOD,
    Behaviour.CHALLENGE_PASSED: cards.CHALLENGED,
    Behaviour.CHALLENGE_FAILED: cards.CHALLENGED,
    Behaviour.DECLINED: cards.DECLINED,
    Behaviour.DECLINED_AFTER_CHALLENGE: cards.DECLINED_AFTER_CHALLENGE,
    Behaviour.RETRY: cards.INSUFFICIENT_FUNDS,
    Behaviour.TIMEOUT_AFTER_CHARGE: cards.TIMEOUT_AFTER_CHARGE,
}
_NOT_THEMSELVES = {Behaviour.CHALLENGE_FAILED, Behaviour.TEST_STOLEN_CARD}  # a bank would notice
RETRIES_MAX = 3
GATEWAY_PATIENCE_S = 30.0  # a payment page answers after its gateway does, and one of the cards makes that slow


@dataclass(frozen=True)
class Market:
    """A region as its merchants and payers see it."""

    region: str
    api_url: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Played:
    """How an errand went. `surprises` are sentences: what somebody saw that the script did not say."""

    region: str
    errand: Errand
    link_id: str = ""
    url: str = ""
    paid_count: int = 0
    refund_count: int = 0
    surprises: tuple[str, ...] = ()


def make_client(connections: int) -> httpx.Client:
    """One client for everybody: no cookies are set, so nothing is shared but connections."""
    limits = httpx.Limits(max_connections=connections * 2, max_keepalive_connections=connections * 2)
    return httpx.Client(timeout=GATEWAY_PATIENCE_S, limits=limits, trust_env=False)


def trade(
    markets: Sequence[Market],
    errands: Iterable[tuple[Market, Errand]],
    *,
    threads: int,
    on_played: Callable[[Played], None] = lambda _: None,
) -> list[Played]:
    """Act out every errand; a surprise never stops the others. `on_played` is called in this thread."""
    with make_client(threads) as client, ThreadPoolExecutor(threads, thread_name_prefix="trader") as pool:
        merchants = {market.region: Merchant(client, market.api_url, market.secret_key) for market in markets}
        jobs = [
            pool.submit(play, merchants[market.region], client, market.region, errand) for market, errand in errands
        ]
        played = []
        for job in as_completed(jobs):
            played.append(job.result())
            on_played(played[-1])
    return played


def play(merchant: Merchant, client: httpx.Client, region: str, errand: Errand) -> Played:
    """One link from creation to what the merchant does last."""
    link_id = url = ""
    paid_count = refund_count = 0
    surprises: list[str] = []
    try:
        link = merchant.create_link(errand.order)
        link_id, url = link["id"], link["url"]
        for number, visit_plan in enumerate(errand.visits):
            visit = Visit(client, _person(errand, number, visit_plan))
            state = act(visit, url, visit_plan.behaviour, card_of(visit_plan.behaviour, number))
            paid_count += state == "succeeded"
            expected = expected_state(visit_plan.behaviour)
            if state != expected:
                surprises.append(
                    f"{errand.reference}: a payer who {visit_plan.behaviour} saw {state!r}, not {expected!r}"
                )
        refund_count = _wind_up(merchant, client, errand, link_id, url)
    except (ApiError, PageError, httpx.HTTPError) as error:
        surprises.append(f"{errand.reference}: {type(error).__name__}: {error}")
    return Played(region, errand, link_id, url, paid_count, refund_count, tuple(surprises))


def expected_state(behaviour: Behaviour) -> str:
    """The state of the last page that a payer sees."""
    if behaviour in PAYS:
        return "succeeded"
    return {Behaviour.ABANDON: "checkout", Behaviour.PREVIEW: "landing"}.get(behaviour, "failed")


def card_of(behaviour: Behaviour, number: int) -> cards.Card:
    """What the `number`-th visitor of a link types in, if anything."""
    return cards.stolen(number) if behaviour is Behaviour.TEST_STOLEN_CARD else _CARDS.get(behaviour, cards.GOOD)


def act(visit: Visit, url: str, behaviour: Behaviour, card: cards.Card) -> str:
    """One payer's whole visit; the state of the last page."""
    if behaviour is Behaviour.PREVIEW:
        return visit.look(url).state
    checkout = visit.begin(url)
    if behaviour is Behaviour.ABANDON:
        return checkout.state
    if behaviour is Behaviour.PAY_WITHOUT_SCRIPT:
        page = visit.pay_without_script(checkout, card)
    else:
        page = visit.pay(checkout, card, passes_challenge=behaviour not in _NOT_THEMSELVES)
    for _ in range(RETRIES_MAX):  # whoever wants to pay tries again, whatever the reason was
        if behaviour not in PAYS or page.state != "failed":
            break
        page = visit.pay(visit.look(page.next_url), cards.GOOD)
    return page.state


def _wind_up(merchant: Merchant, client: httpx.Client, errand: Errand, link_id: str, url: str) -> int:
    """What the merchant does last. Returns how many refunds were asked for. Raises PageError, ApiError."""
    if errand.aftermath is Aftermath.DEACTIVATE:
        merchant.deactivate_link(link_id)
        if Visit(client, _person(errand, 0, errand.visits[0])).look(url).forms:
            raise PageError("the link's page still has a form although the link is deactivated")
        return 0
    if errand.aftermath is Aftermath.NOTHING:
        return 0
    payment = next((p for p in merchant.payments_of(link_id) if p["status"] == "succeeded"), None)
    if payment is None:
        raise ApiError(f"there is no succeeded payment of {link_id} to refund")
    parts: dict[Aftermath, tuple[int | None, ...]] = {
        Aftermath.REFUND_WHOLE: (None,),
        Aftermath.REFUND_PART: (errand.amount_minor // 3,),
        Aftermath.REFUND_IN_TWO: (errand.amount_minor // 2, None),
    }
    for amount_minor in parts[errand.aftermath]:
        merchant.refund(payment["id"], amount_minor, "requested_by_customer")
    return len(parts[errand.aftermath])


def _person(errand: Errand, number: int, visit: VisitPlan) -> Person:
    if visit.behaviour is Behaviour.TEST_STOLEN_CARD:
        return Person("Mallory Malice", "mallory@example.net", "desktop", "en", _ATTACKERS_ADDRESS)
    who = _PEOPLE[(errand.amount_minor + number) % len(_PEOPLE)]
    email = f"{who.lower().replace(' ', '.')}+{errand.reference.lower()}@example.com"
    return Person(who, email, visit.device, visit.language, _address(errand.reference, number))


def _address(reference: str, number: int) -> str:
    """A payer's own address, out of a range that nobody has (RFC 2544)."""
    at = zlib.crc32(f"{reference}/{number}".encode()) % (1 << 17)
    return str(ipaddress.IPv4Address(int(ipaddress.IPv4Address("198.18.0.0")) + at))
