import pytest

from regions import ids


def test_kinds_have_the_prefixes_that_the_schema_stores() -> None:
    assert dict(ids.KINDS) == {
        "merchant": "merch",
        "key": "key",
        "link": "plink",
        "session": "cs",
        "payment": "pay",
        "attempt": "att",
        "refund": "re",
        "capture": "cap",
        "void": "void",
        "dispute": "dp",
        "split": "spl",
        "journal": "jrn",
        "subject": "subj",
        "webhook": "gwh",
        "break": "brk",
        "request": "req",
        "erasure": "ereq",
        "hold": "hold",
        "user": "user",
        "bulk": "bulk",
        "event": "evt",
        "posting": "post",
        "resolution": "rsl",
        "endpoint": "whe",
        "delivery": "whd",
        "payout": "pout",
        "payout_batch": "pbat",
        "saved_method": "pm",
        "renewal": "rnw",
        "fee": "fee",
    }


def test_what_grants_access_has_128_random_bits_or_more() -> None:
    codes = {ids.new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(len(code) == 22 and code.isalnum() and code.isascii() for code in codes)
    assert 62**22 > 2**128
    assert len({code[at] for code in codes for at in [0]}) > 40, "each character is drawn from all 62"
    secret = ids.new_secret("eu", livemode=False)
    assert len(secret) == len("mk_test_eu_") + 43


@pytest.mark.parametrize("region", ["", "E", "EU", "e u", "eu_", "europe-west", "toolongcode"])
def test_a_bad_region_makes_no_id(region: str) -> None:
    with pytest.raises(ids.InvalidIdError):
        ids.new_id("payment", region)
    with pytest.raises(ids.InvalidIdError):
        ids.new_secret(region, livemode=False)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ids.InvalidIdError, match="invoice"):
        ids.new_id("invoice", "eu")
    assert ids.region_of("invoice_eu_" + "0" * 26) is None


def test_keys_of_another_form_are_no_keys() -> None:
    good = ids.new_secret("eu", livemode=False)
    for bad in (
        good + "x",
        good[:-1],
        good.replace("test", "demo"),
        good.replace("_eu_", "_EU_"),
        f" {good}",
        good + "\n",
    ):
        assert ids.region_of_key(bad) is None
        with pytest.raises(ids.InvalidIdError):
            ids.is_live_key(bad)
