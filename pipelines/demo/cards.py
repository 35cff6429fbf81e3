"""The simulated PSP's test cards, by what they do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """What a payer types into the card frame."""

    number: str
    exp_month: int = 12
    exp_year: int = 2034
    cvc: str = "123"


GOOD = Card("4242424242424242")
DECLINED = Card("4000000000000002")
INSUFFICIENT_FUNDS = Card("4000000000009995")
CHALLENGED = Card("4000002500003155")
DECLINED_AFTER_CHALLENGE = Card("4000008400001629")
TIMEOUT_AFTER_CHARGE = Card("4000000000000341")
TIMEOUT_BEFORE_CHARGE = Card("4000000000000119")


def stolen(number: int) -> Card:
    """The PSP's n-th stolen card: a number of its own each, with its check digit."""
    body = f"400000999{number:06}"
    doubled = [int(digit) * (2 if at % 2 == 0 else 1) for at, digit in enumerate(body)]
    total = sum(sum(divmod(value, 10)) for value in doubled)
    return Card(f"{body}{-total % 10}")
