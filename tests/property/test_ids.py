import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions import ids

REGIONS = st.from_regex(ids.REGION_PATTERN, fullmatch=True)
KINDS = st.sampled_from(sorted(ids.KINDS))


@given(kind=KINDS, region=REGIONS)
def test_an_id_says_its_kind_and_region(kind: str, region: str) -> None:
    made = ids.new_id(kind, region)
    parsed = ids.parse_id(made)
    assert (parsed.kind, parsed.region) == (kind, region)
    assert made == f"{ids.KINDS[kind]}_{region}_{parsed.ulid}"
    assert len(parsed.ulid) == 26
    assert parsed.uuid.version == 7
    assert ids.region_of(made) == region


@given(number=st.integers(min_value=0, max_value=2**128 - 1))
def test_every_uuid_survives_the_encoding(number: int) -> None:
    value = uuid.UUID(int=number)
    assert ids.ParsedId("payment", "eu", ids.encode_uuid(value)).uuid == value


@given(a=st.integers(min_value=0, max_value=2**128 - 1), b=st.integers(min_value=0, max_value=2**128 - 1))
def test_the_encoding_keeps_the_order(a: int, b: int) -> None:
    assert (ids.encode_uuid(uuid.UUID(int=a)) < ids.encode_uuid(uuid.UUID(int=b))) == (a < b)


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = [ids.new_id("payment", "eu") for _ in range(2000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


@given(text=st.text(max_size=60))
def test_other_text_is_no_id_and_no_key(text: str) -> None:
    assert ids.region_of(text) is None
    assert ids.region_of_key(text) is None
    with pytest.raises(ids.InvalidIdError):
        ids.parse_id(text)


@given(kind=KINDS, at=st.integers(min_value=0, max_value=40), char=st.sampled_from("ilouA-_ \n8é"))
def test_an_id_with_one_wrong_character_is_refused_or_names_the_same_kind(kind: str, at: int, char: str) -> None:
    made = ids.new_id(kind, "eu")
    start = len(made) - 26
    position = start + at % 26
    changed = made[:position] + char + made[position + 1 :]
    if char == "8" and position > start:
        assert ids.parse_id(changed).kind == kind
    else:
        assert ids.region_of(changed) is None


@given(region=REGIONS, livemode=st.booleans())
def test_a_key_says_its_region_and_mode(region: str, livemode: bool) -> None:  # noqa: FBT001
    key = ids.new_secret(region, livemode)
    assert key.startswith(f"mk_{'live' if livemode else 'test'}_{region}_")
    assert ids.region_of_key(key) == region
    assert ids.is_live_key(key) is livemode
    assert ids.region_of(key) is None


@given(kind=st.sampled_from(sorted(ids.KEY_KINDS)), at=st.integers(0, 42), change=st.integers(1, 61))
def test_one_wrong_character_of_a_key_gives_itself_away(kind: str, at: int, change: int) -> None:
    key = ids.new_secret("eu", livemode=False, kind=kind)
    found = ids.parse_key(key)
    assert found is not None
    assert (found.kind, found.region, found.livemode) == (kind, "eu", False)
    place = len(key) - 43 + at
    letters = string.digits + string.ascii_uppercase + string.ascii_lowercase
    other = letters[(letters.index(key[place]) + change) % len(letters)]
    assert ids.parse_key(key[:place] + other + key[place + 1 :]) is None
