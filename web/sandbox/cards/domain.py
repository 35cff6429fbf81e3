"""Cards: what can be said about a card without keeping it, and what each test card does. Pure."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from regions.logs import passes_luhn
from web.sandbox.cards.scenarios import Scenario

EXPIRY_YEARS_MAX = 25
_DIGITS_MIN, _DIGITS_MAX = 12, 19
_MONTHS = 12


@dataclass(frozen=True)
class TestCard:
    """A number that this PSP accepts. `text` is what the list of test cards says about it."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    number: str
    brand: str
    scenario: Scenario
    text: str

    @property
    def grouped(self) -> str:
        """The number in groups, as it is printed on a card."""
        sizes = (4, 6, 5) if self.brand == "amex" else (4, 4, 4, 4)
        groups, rest = [], self.number
        for size in sizes:
            groups.append(rest[:size])
            rest = rest[size:]
        return " ".join(groups)


TEST_CARDS = {
    card.number: card
    for card in (
        TestCard("4242424242424242", "visa", Scenario.SUCCEED, "Succeeds"),
        TestCard("5555555555554444", "mc", Scenario.SUCCEED, "Succeeds (Mastercard)"),
        TestCard("378282246310005", "amex", Scenario.SUCCEED, "Succeeds (American Express, 4-digit code)"),
        TestCard("4000002500003155", "visa", Scenario.CHALLENGE, "Asks for 3-D Secure"),
        TestCard("4000008400001629", "visa", Scenario.CHALLENGE_THEN_DECLINE, "Asks for 3-D Secure, then is declined"),
        TestCard("4000000000000002", "visa", Scenario.DECLINE, "Is declined"),
        TestCard("4000000000009995", "visa", Scenario.INSUFFICIENT_FUNDS, "Has insufficient funds"),
        TestCard("4000000000000069", "visa", Scenario.EXPIRED_CARD, "Is declined: it has expired"),
        TestCard("4000000000000127", "visa", Scenario.INCORRECT_CVC, "Is declined: the security code is wrong"),
        TestCard("4000000000009987", "visa", Scenario.LOST_CARD, "Is declined: it was lost"),
        TestCard("4000000000009979", "visa", Scenario.STOLEN_CARD, "Is declined: it was stolen"),
        TestCard("4100000000000019", "visa", Scenario.SUSPECTED_FRAUD, "Is declined: fraud is suspected"),
        TestCard("4000000000006975", "visa", Scenario.LIMIT_EXCEEDED, "Is declined: over its limit"),
        TestCard("4000000000000101", "visa", Scenario.ISSUER_UNAVAILABLE, "Is declined: its bank does not answer"),
        TestCard(
            "4000003800000446",
            "visa",
            Scenario.AUTHENTICATION_REQUIRED_LATER,
            "Succeeds with its payer; charged without, it asks for authentication",
        ),
        TestCard("4000000000000259", "visa", Scenario.DISPUTE, "Succeeds, is disputed later as fraud"),
        TestCard(
            "4000000000002685", "visa", Scenario.DISPUTE_NOT_RECEIVED, "Succeeds, is disputed later: not received"
        ),
        TestCard(
            "4000000000000341", "visa", Scenario.TIMEOUT_AFTER_CHARGE, "Is charged, but the answer comes too late"
        ),
        TestCard("4000000000000119", "visa", Scenario.TIMEOUT_BEFORE_CHARGE, "Times out and is never charged"),
        TestCard("4000000000005019", "visa", Scenario.ERROR_AFTER_CHARGE, "Is charged, and the answer is a 500"),
        TestCard("4000000000000093", "visa", Scenario.FAIL_LATER, "Stays pending, fails seconds later"),
        TestCard("4000000000000077", "visa", Scenario.CAPTURE_LATER, "Stays pending, succeeds seconds later"),
        TestCard("4000000000007726", "visa", Scenario.REFUND_LATER, "Succeeds; a refund succeeds seconds later"),
        TestCard("4000000000005126", "visa", Scenario.REFUND_FAILS_LATER, "Succeeds; a refund fails seconds later"),
    )
}


# Numbers with this beginning are cards of their own, all stolen: whoever tests them has as many as wanted.
STOLEN_PREFIX = "400000999"


def find_test_card(digits: str) -> TestCard | None:
    """What this PSP knows about a number."""
    if digits.startswith(STOLEN_PREFIX) and len(digits) == 16:  # noqa: PLR2004 - digits of a card
        return TestCard(digits, "visa", Scenario.DECLINE, "Was stolen, and is declined")
    return TEST_CARDS.get(digits)


class CardError(ValueError):
    """A card that cannot be used: the field that is wrong, a stable code, and a sentence for the payer."""

    def __init__(self, field: str, code: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Card:
    """All that is ever kept of a card."""

    scenario: Scenario
    brand: str
    last4: str
    fingerprint: str


def read_card(number: str, exp_month: str, exp_year: str, cvc: str, *, now: datetime, fingerprint_key: bytes) -> Card:
    """Check what a payer typed and reduce it to what may be kept. Raises CardError naming the first wrong field."""
    digits = number.replace(" ", "").replace("-", "")
    if not digits.isascii() or not digits.isdigit() or not _DIGITS_MIN <= len(digits) <= _DIGITS_MAX:
        raise CardError("number", "invalid_number", "Enter the number that is on the card.")
    if not passes_luhn([int(digit) for digit in digits]):
        raise CardError("number", "incorrect_number", "This card number is not right: check the digits.")
    found = find_test_card(digits)
    if found is None:
        raise CardError("number", "not_a_test_card", "This is test mode: use one of the test cards, never a real one.")
    _check_expiry(exp_month.strip(), exp_year.strip(), now)
    length = 4 if found.brand == "amex" else 3
    if not cvc.isascii() or not cvc.isdigit() or len(cvc) != length:
        raise CardError("cvc", "invalid_cvc", f"Enter the security code: {length} digits.")
    mark = hmac.new(fingerprint_key, digits.encode(), hashlib.sha256).hexdigest()[:32]
    return Card(found.scenario, found.brand, digits[-4:], mark)


def fingerprint_key(control_key: str, account: str) -> bytes:
    """The key under which an account's cards are fingerprinted: two accounts cannot compare cards."""
    return hmac.new(control_key.encode(), f"card-fingerprint/v1/{account}".encode(), hashlib.sha256).digest()


def _check_expiry(month_text: str, year_text: str, now: datetime) -> None:
    error = CardError("exp_month", "invalid_expiry", "Enter the expiry date as month and year.")
    if not (month_text.isascii() and month_text.isdigit() and year_text.isascii() and year_text.isdigit()):
        raise error
    if len(month_text) > 2 or len(year_text) not in {2, 4}:  # noqa: PLR2004 - digits of a month, of a year
        raise error
    month, year = int(month_text), int(year_text)
    if len(year_text) == 2:  # noqa: PLR2004 - 27 means 2027
        year += 2000
    if not 1 <= month <= _MONTHS or year > now.year + EXPIRY_YEARS_MAX:
        raise error
    today = now.astimezone(UTC)
    if (year, month) < (today.year, today.month):
        raise CardError("exp_month", "expired_card", "This card has expired.")
