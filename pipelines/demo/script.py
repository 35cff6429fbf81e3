"""What the simulated traders will do: a pure plan, the same for the same seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from regions.money import exponent


class Behaviour(StrEnum):
    """What one payer does with one link."""

    PAY = "pays"
    PAY_WITHOUT_SCRIPT = "pays without JavaScript"
    CHALLENGE_PASSED = "passes 3DS"
    CHALLENGE_FAILED = "fails 3DS"
    DECLINED = "is declined"
    DECLINED_AFTER_CHALLENGE = "is declined after 3DS"
    RETRY = "lacks funds, then pays with another card"
    TIMEOUT_AFTER_CHARGE = "pays while the gateway's answer is lost"
    ABANDON = "leaves the checkout page"
    PREVIEW = "only looks"
    TEST_STOLEN_CARD = "tests a stolen card"


class Aftermath(StrEnum):
    """What the merchant does with the link afterwards."""

    NOTHING = "nothing"
    REFUND_WHOLE = "refunds everything"
    REFUND_PART = "refunds a part"
    REFUND_IN_TWO = "refunds a part, then the rest"
    DEACTIVATE = "deactivates the link"


PAYS: Final = frozenset({
    Behaviour.PAY,
    Behaviour.PAY_WITHOUT_SCRIPT,
    Behaviour.CHALLENGE_PASSED,
    Behaviour.RETRY,
    Behaviour.TIMEOUT_AFTER_CHARGE,
})  # fmt: skip

# One attacker, card after card with small amounts on one link; then somebody with nothing to hide pays there too.
ATTACK_ATTEMPTS: Final = 12
ATTACKED: Final = "ATTACKED"  # how the references of such links begin
_ATTACK: Final = ((Behaviour.TEST_STOLEN_CARD,) * ATTACK_ATTEMPTS + (Behaviour.PAY,), Aftermath.NOTHING)
# Every run does each of these at least once in each region, so that no number on the page is zero by luck.
_ALWAYS: Final[Sequence[tuple[tuple[Behaviour, ...], Aftermath]]] = (
    ((Behaviour.TIMEOUT_AFTER_CHARGE,), Aftermath.NOTHING),  # first: it takes longest
    ((Behaviour.PAY,), Aftermath.REFUND_WHOLE),
    ((Behaviour.CHALLENGE_PASSED,), Aftermath.REFUND_PART),
    ((Behaviour.PAY_WITHOUT_SCRIPT,), Aftermath.REFUND_IN_TWO),
    ((Behaviour.RETRY,), Aftermath.NOTHING),
    ((Behaviour.DECLINED,), Aftermath.NOTHING),
    ((Behaviour.CHALLENGE_FAILED,), Aftermath.NOTHING),
    ((Behaviour.DECLINED_AFTER_CHALLENGE,), Aftermath.NOTHING),
    ((Behaviour.ABANDON,), Aftermath.DEACTIVATE),
    ((Behaviour.PREVIEW, Behaviour.PAY, Behaviour.DECLINED, Behaviour.PAY), Aftermath.NOTHING),
    _ATTACK,
)
_WEIGHTS: Final[Mapping[Behaviour, int]] = {
    Behaviour.PAY: 45,
    Behaviour.PAY_WITHOUT_SCRIPT: 5,
    Behaviour.CHALLENGE_PASSED: 14,
    Behaviour.CHALLENGE_FAILED: 4,
    Behaviour.DECLINED: 8,
    Behaviour.DECLINED_AFTER_CHALLENGE: 2,
    Behaviour.RETRY: 7,
    Behaviour.ABANDON: 10,
    Behaviour.PREVIEW: 5,
}
_REFUND_SHARE: Final = 0.15
_CHANNELS: Final = ("email", "sms", "social", "qr", "in_app", None)
_CAMPAIGNS: Final = ("spring-sale", "reminder", None, None)
_DEVICES: Final = ("mobile", "mobile", "desktop", "tablet")
_GOODS: Final = ("Invoice", "Deposit", "Consulting", "Tickets", "Repair", "Subscription")
# What one euro's worth is, very roughly, so that amounts look like amounts.
_SCALE: Final[Mapping[str, int]] = {
    "INR": 90,
    "JPY": 160,
    "HUF": 400,
    "CZK": 25,
    "SEK": 11,
    "NOK": 11,
    "DKK": 7,
    "HKD": 8,
}


@dataclass(frozen=True)
class VisitPlan:
    """One payer's visit."""

    behaviour: Behaviour
    device: str
    language: str


@dataclass(frozen=True)
class Errand:
    """One link, everybody who visits it, and what the merchant does then. Amounts in minor units."""

    reference: str
    description: str
    amount_minor: int
    currency: str
    usage: str
    channel: str | None
    campaign: str | None
    visits: tuple[VisitPlan, ...]
    aftermath: Aftermath

    @property
    def paid_count(self) -> int:
        """How many of the visits end in a capture."""
        return sum(visit.behaviour in PAYS for visit in self.visits)

    @property
    def order(self) -> dict[str, object]:
        """The body of the request that creates the link."""
        body = {
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "reference": self.reference,
            "description": self.description,
            "usage": self.usage,
            "channel": self.channel,
            "campaign": self.campaign,
        }
        return {name: value for name, value in body.items() if value is not None}


def plan(region: str, currencies: Sequence[str], locales: Sequence[str], seed: int, count: int) -> list[Errand]:
    """At least `len(_ALWAYS)` errands, `count` if that is more; the same for the same arguments."""
    dice = random.Random(f"{region}/{seed}")
    errands = [
        _errand(dice, region, number, currencies, locales, behaviours, aftermath)
        for number, (behaviours, aftermath) in enumerate(_ALWAYS, start=1)
    ]
    while len(errands) < count:
        behaviour = dice.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))[0]
        is_refunded = behaviour in PAYS and dice.random() < _REFUND_SHARE
        refunds = (Aftermath.REFUND_WHOLE, Aftermath.REFUND_PART)
        aftermath = dice.choice(refunds) if is_refunded else Aftermath.NOTHING
        errands.append(_errand(dice, region, len(errands) + 1, currencies, locales, (behaviour,), aftermath))
    return errands


def _errand(
    dice: random.Random,
    region: str,
    number: int,
    currencies: Sequence[str],
    locales: Sequence[str],
    behaviours: Sequence[Behaviour],
    aftermath: Aftermath,
) -> Errand:
    # The region's own currency half of the time; the first errands go through all of them.
    currency = currencies[number % len(currencies)] if number % 2 == 0 else currencies[0]
    is_attacked = Behaviour.TEST_STOLEN_CARD in behaviours
    major = (1 if is_attacked else dice.randint(5, 180)) * _SCALE.get(currency, 1)
    minor = dice.choice((0, 49, 90, 99)) * 10 ** exponent(currency) // 100
    return Errand(
        reference=f"{ATTACKED if is_attacked else 'DEMO'}-{region.upper()}-{number:04}",
        description=f"{dice.choice(_GOODS)} {number}",
        amount_minor=major * 10 ** exponent(currency) + minor,
        currency=currency,
        usage="multi" if len(behaviours) > 1 else "single",
        channel=dice.choice(_CHANNELS),
        campaign=dice.choice(_CAMPAIGNS),
        visits=tuple(VisitPlan(behaviour, dice.choice(_DEVICES), dice.choice(locales)) for behaviour in behaviours),
        aftermath=aftermath,
    )
