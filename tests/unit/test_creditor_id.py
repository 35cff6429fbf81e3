import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.creditor_id import is_creditor_id, mod_97

SOUND = "DE98ZZZ09999999999"
CAPITALS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("creditor_id", [SOUND, "AT61ZZZ01234567890", "DE98ABC09999999999"])
def test_identifiers_of_creditors_are_known_whatever_their_business_code(creditor_id: str) -> None:
    assert is_creditor_id(creditor_id)


@pytest.mark.parametrize(
    "text",
    ["", "DE98ZZZ", SOUND.lower(), "DE98 ZZZ 09999999999", f"{SOUND}\n", f"DE98ZZZ{'9' * 29}", "DE٩8ZZZ09999999999"],
)
def test_what_has_not_the_form_is_none(text: str) -> None:
    assert not is_creditor_id(text)


@given(
    country=st.sampled_from(["DE", "FR", "NL", "ES"]),
    national=st.text(CAPITALS, min_size=1, max_size=28),
    data=st.data(),
)
def test_one_character_that_is_wrong_is_found(country: str, national: str, data: st.DataObject) -> None:
    right = f"{98 - mod_97(national + country + '00'):02}"
    assert is_creditor_id(f"{country}{right}ZZZ{national}")
    at = data.draw(st.integers(0, len(national) - 1))
    other = data.draw(st.sampled_from([one for one in CAPITALS if one.isdigit() == national[at].isdigit()]))
    changed = national[:at] + other + national[at + 1 :]
    assert is_creditor_id(f"{country}{right}ZZZ{changed}") == (changed == national)
