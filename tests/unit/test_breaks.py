"""What a break on the bank's leg becomes as a proposal: subjects of the platform's own books, on the right sides."""

from typing import Any

import pytest

from regions.errors import UsageError
from warehouse.breaks import Break, may_match, proposal

PAYOUT = "payout/test/sandbox/MeridianEU/3/EUR"


def bank_break(class_: str, **more: Any) -> Break:
    facts = {
        "break_id": f"brk-{class_}", "class": class_, "leg": "bank", "livemode": False, "merchant_id": None,
        "gateway": None, "line_id": None, "item_id": None, "currency": "EUR", "payout_key": None, "entry_id": None,
    }  # fmt: skip
    return Break(facts | more, 3, None)


MISSING = bank_break("missing_at_bank", gateway="sandbox", payout_key="sandbox/MeridianEU/3/EUR")
UNKNOWN = bank_break("unknown_at_bank", entry_id="e1")


@pytest.mark.parametrize(
    ("one", "line_id", "gateway"),
    [
        (MISSING, PAYOUT, "sandbox"),
        (UNKNOWN, "e1", "bank"),
        (
            bank_break("amount", gateway="sandbox", payout_key="sandbox/MeridianEU/3/EUR", entry_id="e2"),
            PAYOUT,
            "sandbox",
        ),
    ],
)
def test_a_write_off_names_what_is_open(one: Break, line_id: str, gateway: str) -> None:
    body = proposal(one, None, "lost", "ada", None)
    told = (body["action"], body["line_id"], body["item_id"], body["gateway"], body["merchant_id"])
    assert told == ("write_off", line_id, None, gateway, None)


def test_a_match_has_the_entry_as_its_line_and_the_payout_as_its_item_from_either_side() -> None:
    for one, other in ((MISSING, UNKNOWN), (UNKNOWN, MISSING)):
        assert may_match(one, other)
        body = proposal(one, other, "it is that one", "ada", None)
        assert (body["line_id"], body["item_id"], body["gateway"]) == ("e1", PAYOUT, "sandbox")


@pytest.mark.parametrize(
    "other",
    [
        MISSING,
        bank_break("unknown_at_bank", entry_id="e1", currency="USD"),
        bank_break("unknown_at_bank", entry_id="e1", livemode=True),
        bank_break("amount", gateway="sandbox", payout_key="sandbox/MeridianEU/4/EUR"),
        bank_break("missing_at_gateway", leg="gateway", item_id="pay"),
    ],
)
def test_what_is_not_the_other_side_is_refused(other: Break) -> None:
    assert not may_match(MISSING, other)
    with pytest.raises(UsageError, match="bank's leg"):
        proposal(MISSING, other, "no", "ada", None)
