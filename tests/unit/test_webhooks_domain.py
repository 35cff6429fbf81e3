"""The pure parts: schedule, circuit, catalogue, masking, signatures."""

import base64
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.webhooks.domain import (
    Health,
    Outcome,
    Policy,
    Result,
    after,
    is_lost,
    next_delay,
    outcome_of,
    retry_after,
)  # fmt: skip
from pipelines.webhooks.masking import masked_request, masked_response, masked_text, masked_url
from regions import webhook_signing as signing
from regions.contract_files import CONTRACTS
from regions.errors import ConfigurationError
from regions.event_erasure import erase_fields
from regions.events import event_type, registry, versions
from regions.residency import ResidencyClass
from regions.webhook_catalog import CATALOG, check_filter, load_catalog, matches, render

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = 3600
POLICY = Policy()


def result(outcome: Outcome = Outcome.HTTP_ERROR, **more: float) -> Result:
    return Result(outcome, NOW, 10, retry_after=more.get("retry_after"))


def test_the_schedule_is_the_standards() -> None:
    wanted = [0, 5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    assert list(POLICY.delays) == wanted
    assert [next_delay(POLICY, tries, result(), 0.0) for tries in range(1, 11)] == [*wanted[1:], None]
    assert (POLICY.timeout, POLICY.overtake_after, POLICY.disable_after) == (20, 300, 5 * 24 * HOUR)
    assert POLICY.lease > POLICY.timeout, "or another process would send while this one still does"


@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e7))
def test_a_delay_is_never_earlier_than_the_schedule_or_what_was_asked_for(
    tries: int, chance: float, asked: float | None
) -> None:
    delay = next_delay(POLICY, tries, Result(Outcome.HTTP_ERROR, NOW, 1, retry_after=asked), chance)
    assert delay is not None
    assert delay >= POLICY.delays[tries]
    assert delay >= min(asked or 0, POLICY.retry_after_max)
    assert delay <= max(POLICY.delays[tries] * 1.1, min(asked or 0, POLICY.retry_after_max))


def test_success_and_gone_are_the_end() -> None:
    assert next_delay(POLICY, 1, result(Outcome.SUCCEEDED), 0.5) is None
    assert next_delay(POLICY, 1, result(Outcome.GONE), 0.5) is None


def test_2xx_alone_is_success() -> None:
    found = {code: outcome_of(code) for code in range(100, 600)}
    assert {code for code, outcome in found.items() if outcome is Outcome.SUCCEEDED} == set(range(200, 300))
    assert {code for code, outcome in found.items() if outcome is Outcome.REDIRECT} == set(range(300, 400))
    assert {code for code, outcome in found.items() if outcome is Outcome.GONE} == {410}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0), (" 7 ", 7.0), ("Mon, 23 Nov 2026 12:01:00 GMT", 60.0), ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        (None, None), ("soon", None), ("-5", None), ("1.5", None), ("٣", None), ("9" * 40, 999_999_999.0), ("", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=60))
def test_retry_after_never_raises(header: str) -> None:
    found = retry_after(header, NOW)
    assert found is None or (found >= 0 and math.isfinite(found))


def test_the_circuit_opens_after_failures_in_a_row_and_longer_each_time() -> None:
    health, opened = Health(), []
    for _ in range(10):
        health = after(health, result(), POLICY)
        opened.append(None if health.open_until is None else (health.open_until - NOW).total_seconds())
    assert opened == [None] * 4 + [30, 60, 120, 300, 300, 300]
    assert health.failing_since == NOW
    assert after(health, result(Outcome.SUCCEEDED), POLICY) == Health(last_success_at=NOW)


def test_five_days_without_a_success_are_too_long() -> None:
    health = after(Health(), result(), POLICY)
    assert not is_lost(health, NOW + timedelta(days=5, seconds=-1), POLICY)
    assert is_lost(health, NOW + timedelta(days=5), POLICY)
    assert not is_lost(Health(), NOW, POLICY)


# --- the catalogue


def test_every_type_of_event_is_offered_or_withheld_with_a_reason() -> None:
    assert CATALOG.offered | CATALOG.withheld.keys() == registry().keys()
    assert all(reason.endswith(".") for reason in CATALOG.withheld.values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('  "payment.succeeded",\n', "", "payment.succeeded is neither offered nor withheld"),
        ('  "payment.succeeded",\n', '  "payment.succeeds",\n  "payment.succeeded",\n', "payment.succeeds is no type"),
        ("[withheld]\n", '[withheld]\n"payment.failed" = "No."\n', "named twice"),
        ('[versions."2026-09-01"]', '[versions."2027-09-01"]', "oldest first"),
        ("[offered]", "[offers]", "cannot be read"),
    ],
)
def test_a_catalogue_that_is_not_total_stops_the_process(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (CONTRACTS / "webhooks.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "webhooks.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load_catalog(tmp_path / "webhooks.toml", registry())


def test_pins_name_versions_that_exist() -> None:
    known = {(kind.name, kind.version) for kind in versions()}
    assert {pin for pins in CATALOG.versions.values() for pin in pins.items()} <= known


def test_filters() -> None:
    assert matches(["payment.*"], "payment.succeeded")
    assert matches(["*"], "link.created")
    assert not matches(["payment.*", "link.created"], "refund.succeeded")
    for good in ("*", "payment.*", "payment.succeeded"):
        assert check_filter(good) is None
    for bad in ("payment", "payments.*", "payment.wins", "risk.assessed", "risk.*", "", "*.*", "payment.succeeded "):
        assert check_filter(bad) is not None, bad


def shown(name: str, version: int, api_version: str) -> dict[str, object]:
    kind = event_type(name, version)
    data = json.dumps(erase_fields(name, dict(kind.examples[0])))
    body = render(
        region="eu", event_id=UUID(int=7), name=name, time=NOW, livemode=False, object_id="o", sequence=3,
        schema_version=version, data=data, api_version=api_version,
    )  # fmt: skip
    found: dict[str, object] = json.loads(body)
    return found


def test_an_older_version_of_the_api_gets_the_fields_that_it_knows() -> None:
    new, old = (shown("link.created", 2, version)["data"] for version in ("2026-11-01", "2026-09-01"))
    known = set(event_type("link.created", 1).schema["properties"])
    assert set(old) == set(new) & known  # type: ignore[call-overload]
    assert shown("link.created", 1, "2026-11-01")["data"], "what was told in the first version stays as it was told"


def test_a_body_has_no_personal_field() -> None:
    for kind in versions():
        if kind.name not in CATALOG.offered:
            continue
        personal = {pointer.strip("/") for pointer, bound in kind.residency.items() if bound is ResidencyClass.PII}
        data = shown(kind.name, kind.version, CATALOG.current)["data"]
        assert not {name for name in personal if data.get(name) is not None}  # type: ignore[attr-defined]


def test_a_body_is_standard_webhooks_and_tells_its_place() -> None:
    body = shown("payment.succeeded", 1, CATALOG.current)
    assert list(body) == [
        "id", "type", "timestamp", "api_version", "region", "livemode", "object_id", "sequence", "data",
    ]  # fmt: skip
    assert (body["sequence"], body["timestamp"]) == (3, "2026-11-23T12:00:00.000000Z")


# --- masking


@pytest.mark.parametrize(
    "secret",
    [
        "jane.doe+shop@mail.example.co.uk", "4111111111111111", "4111-1111-1111-1111", "+49 170 1234567", "192.0.2.44",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "mk_live_eu_0123456789", "Bearer abc.def", "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a1" * 30,
    ],
)  # fmt: skip
def test_what_could_be_secret_or_personal_is_masked(secret: str) -> None:
    assert secret not in masked_text(f'{{"error": "about {secret}."}}')
    answer = masked_response(500, {"server": secret, "location": f"https://x.example/?k={secret}"}, secret.encode())
    assert secret not in json.dumps(answer)


def test_what_helps_stays() -> None:
    text = 'column "ref" does not exist at line 42, order pay_eu_06p0wz7b4hk53g6qyt8nwc2mse of 2026-11-23'
    assert masked_text(text) == text
    assert masked_url("https://a.example:8443/in/eu?key=1&b=2#x") == "https://a.example:8443/in/eu?key=•••&b=•••"
    sent = masked_request("https://a.example/", {"webhook-signature": "v1,abc v1a,def", "webhook-id": "evt_1"})
    assert sent["headers"] == {"webhook-signature": "v1,••• v1a,•••", "webhook-id": "evt_1"}


@given(st.binary(max_size=6000))
def test_any_answer_can_be_kept(body: bytes) -> None:
    kept = masked_response(200, {}, body)
    assert len(kept["body"]) <= 1024
    assert "\x00" not in json.dumps(kept, ensure_ascii=False)


# --- signatures


def test_the_published_example_of_the_standard() -> None:
    """From the reference implementation's own tests."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body, stamp = b'{"test": 2432232314}', 1614265330
    headers = signing.Signer.of([secret]).headers("msg_p5jXN8AQM9LWM0D4loKWxJek", stamp, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    signing.verify(secret, headers, body, stamp)


@given(st.binary(min_size=24, max_size=64), st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_what_is_signed_verifies_and_nothing_else_does(random: bytes, seed: bytes, body: bytes) -> None:
    secret, key = signing.make_secret(random), signing.make_private_key(seed)
    headers = signing.Signer.of([secret], [key]).headers("evt_1", 1000, body)
    public = signing.public_key_bytes(signing.public_key(key))
    signing.verify(secret, headers, body, 1000)
    assert signing.is_v1a(public, headers, body)
    assert not signing.is_v1(random, headers, body + b" ")
    assert not signing.is_v1a(public, headers | {"webhook-id": "evt_2"}, body)
    assert not signing.is_v1(random + b"x" if len(random) < 64 else random[:-1], headers, body)
    for late in (1000 + 301, 1000 - 301):
        with pytest.raises(signing.VerificationError, match="old by this clock"):
            signing.verify(secret, headers, body, late)


@pytest.mark.parametrize("size", [0, 16, 23, 65])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    with pytest.raises(signing.SigningError):
        signing.make_secret(bytes(size))
    with pytest.raises(signing.SigningError):
        signing.secret_bytes("whsec_" + base64.b64encode(bytes(size)).decode())


@pytest.mark.parametrize("text", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%", "whsk_" + "A" * 43 + "="])
def test_what_is_no_secret_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(signing.SigningError) as caught:
        signing.secret_bytes(text)
    assert not text or text not in str(caught.value)
