"""What every gateway adapter has to do. One suite, the same for all; a bench per gateway makes its outcomes happen."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from regions.ids import new_id
from regions.money import Money
from tests.support.gateways.bench import PRICE, RETURN_URL, Bench, ask, capture_of, refund_of, void_of
from tests.support.gateways.benches import BENCHES, open_bench
from tests.support.postgres import PostgresServer
from web.gateways.capabilities import ClientKind, Lookup
from web.gateways.declines import Retry
from web.gateways.disputes import DisputeNews, DisputeStatus
from web.gateways.domain import (
    ActionKind,
    AttemptNews,
    CaptureAnswer,
    CaptureMode,
    CaptureNews,
    CaptureOrder,
    Fact,
    Method,
    RefundAnswer,
    RefundNews,
    RefundOrder,
    SaveOrder,
    StepFact,
    VoidAnswer,
    VoidNews,
    VoidOrder,
)
from web.gateways.errors import GatewayRefusedError, UnsupportedError, WebhookRejectedError
from web.gateways.sandbox import adapter as sandbox
from web.gateways.stripe import adapter as stripe

PARAMETERS = [pytest.param(name, marks=pytest.mark.xdist_group(f"gateway-{name}")) for name in BENCHES]


@pytest.fixture(scope="module", params=PARAMETERS)
def bench(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[Bench]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for adapter in (sandbox, stripe):  # a payer does not wait for a card's brand; a busy machine breaks no contract
            patch.setattr(adapter, "DESCRIBE_DEADLINES", httpx.Timeout(30.0))
        yield stack.enter_context(open_bench(request.param, postgres_server))


def refunded(bench: Bench, order: RefundOrder) -> RefundAnswer:
    """What a refund has come to, at once or by its webhook."""
    answer = bench.gateway.refund(order)
    if answer.fact is not StepFact.PENDING:
        return answer
    news = [event.news for event in bench.news()]
    return next(one.answer for one in news if isinstance(one, RefundNews) and one.refund_id == order.refund_id)


def captured(bench: Bench, order: CaptureOrder) -> CaptureAnswer:
    answer = bench.gateway.capture(order)
    if answer.fact is not StepFact.PENDING:
        return answer
    news = [event.news for event in bench.news()]
    return next(one.answer for one in news if isinstance(one, CaptureNews) and one.capture_id == order.capture_id)


def voided(bench: Bench, order: VoidOrder) -> VoidAnswer:
    answer = bench.gateway.void(order)
    if answer.fact is not StepFact.PENDING:
        return answer
    news = [event.news for event in bench.news()]
    return next(one.answer for one in news if isinstance(one, VoidNews) and one.void_id == order.void_id)


def paid(bench: Bench, **wishes: CaptureMode) -> str:
    reference = bench.gateway.authorise(bench.order(**wishes)).gateway_reference
    assert reference
    return reference


def test_a_good_card_is_captured_and_named(bench: Bench) -> None:
    order = bench.order()

    answer = bench.gateway.authorise(order)

    assert (answer.fact, answer.moved) == (Fact.CAPTURED, PRICE)
    assert answer.card is not None
    assert answer.card.last4 == "4242"
    again = bench.gateway.resolve(ask(order, answer.gateway_reference))
    assert (again.fact, again.gateway_reference) == (Fact.CAPTURED, answer.gateway_reference)
    assert bench.charged_minor(order.attempt_id)


def test_amounts_keep_their_value(bench: Bench) -> None:
    for amount in bench.amounts:
        assert bench.gateway.authorise(bench.order(amount=amount)).moved == amount


def test_the_same_attempt_never_moves_money_twice(bench: Bench) -> None:
    order = bench.order()

    first, second = bench.gateway.authorise(order), bench.gateway.authorise(order)

    assert first == second
    assert len(bench.charged_minor(order.attempt_id)) == 1


def test_an_attempts_id_with_another_amount_proves_nothing(bench: Bench) -> None:
    order = bench.order()
    bench.gateway.authorise(order)

    assert bench.gateway.authorise(replace(order, amount=Money(1, "EUR"))).fact is Fact.UNKNOWN
    assert len(bench.charged_minor(order.attempt_id)) == 1


@pytest.mark.parametrize(
    ("behaviour", "code", "retry"),
    [
        ("decline", "card_declined", Retry.LATER),
        ("insufficient_funds", "insufficient_funds", Retry.LATER),
        ("expired", "expired_card", Retry.NEVER),
    ],
)
def test_a_refused_card_is_a_definite_failure_with_a_reason(
    bench: Bench, behaviour: str, code: str, retry: Retry
) -> None:
    order = bench.order(behaviour)

    answer = bench.gateway.authorise(order)

    assert (answer.fact, answer.code, answer.retry) == (Fact.DECLINED, code, retry)
    assert bench.gateway.resolve(ask(order, answer.gateway_reference)).fact is Fact.DECLINED
    assert not bench.charged_minor(order.attempt_id)


@pytest.mark.parametrize("is_passed", [True, False])
def test_a_challenge_is_answered_at_the_gateway_and_asked_about(bench: Bench, is_passed: bool) -> None:  # noqa: FBT001
    order = bench.order("challenge")

    answer = bench.gateway.authorise(order)

    assert answer.fact is Fact.REQUIRES_ACTION
    assert answer.action is not None
    assert answer.action.kind is ActionKind.THREE_DS
    assert bench.gateway.resolve(ask(order, answer.gateway_reference)).fact is Fact.REQUIRES_ACTION
    returned = bench.answer_challenge(answer.action.url, is_passed)
    settled = bench.gateway.resolve(ask(order, answer.gateway_reference, returned))
    if is_passed:
        assert (settled.fact, settled.moved) == (Fact.CAPTURED, PRICE)
    else:
        assert (settled.fact, settled.code) == (Fact.DECLINED, "authentication_failed")
        assert settled.retry is Retry.WITH_AUTHENTICATION
    assert len(bench.charged_minor(order.attempt_id)) == is_passed


def test_without_a_token_the_payer_goes_to_the_gateways_page(bench: Bench) -> None:
    order = bench.order(None)

    answer = bench.gateway.authorise(order)

    assert answer.action is not None
    assert answer.action.kind is ActionKind.REDIRECT
    returned = bench.pay_on_page(answer.action.url)
    settled = bench.gateway.resolve(ask(order, answer.gateway_reference, returned))
    assert (settled.fact, settled.moved) == (Fact.CAPTURED, PRICE)
    assert refunded(bench, refund_of(str(settled.gateway_reference))).fact is StepFact.SUCCEEDED


@pytest.mark.parametrize("behaviour", ["late", "broken"])
def test_an_answer_that_never_came_is_unknown_and_then_found(bench: Bench, behaviour: str) -> None:
    order = bench.order(behaviour)

    assert bench.gateway.authorise(order).fact is Fact.UNKNOWN
    assert bench.gateway.resolve(ask(order)).fact is Fact.CAPTURED
    assert len(bench.charged_minor(order.attempt_id)) == 1


def test_a_lost_request_is_unknown_and_then_settled(bench: Bench) -> None:
    order = bench.order("lost")

    assert bench.gateway.authorise(order).fact is Fact.UNKNOWN
    found = bench.gateway.resolve(ask(order))
    if bench.gateway.capabilities.lookup is Lookup.BY_REFERENCE:
        assert found.fact is Fact.NOT_FOUND
        assert bench.gateway.not_found_after > timedelta(0)
    else:  # the identical request again, under the same key
        assert found.fact is Fact.CAPTURED
        assert len(bench.charged_minor(order.attempt_id)) == 1


def test_refunds_add_up_and_are_found(bench: Bench) -> None:
    reference = paid(bench)
    part = refund_of(reference, Money(500, "EUR"))

    first = refunded(bench, part)
    again = bench.gateway.refund(part)
    second = refunded(bench, refund_of(reference, Money(999, "EUR")))
    too_much = refunded(bench, refund_of(reference, Money(501, "EUR")))

    assert (first.fact, first.moved) == (StepFact.SUCCEEDED, Money(500, "EUR"))
    assert (again.fact in {StepFact.SUCCEEDED, StepFact.PENDING}, again.gateway_reference) == (
        True,
        first.gateway_reference,
    )
    assert second.fact is StepFact.SUCCEEDED
    assert too_much.fact is StepFact.FAILED
    found = bench.gateway.resolve_refund(part)
    assert found.fact in {StepFact.SUCCEEDED, StepFact.PENDING}
    assert found.gateway_reference == first.gateway_reference
    assert refunded(bench, refund_of(reference, Money(500, "EUR"))).fact is StepFact.SUCCEEDED


def test_a_refund_that_was_never_sent_may_be_sent(bench: Bench) -> None:
    unsent = refund_of(paid(bench))
    found = bench.gateway.resolve_refund(unsent)
    if bench.gateway.capabilities.lookup is Lookup.BY_REFERENCE:
        assert found.fact is StepFact.NOT_FOUND
    else:
        assert found.fact in {StepFact.NOT_FOUND, StepFact.PENDING}


def test_a_refund_of_nothing_known_fails_for_good(bench: Bench) -> None:
    assert refunded(bench, refund_of("0000000000000000")).fact is StepFact.FAILED


def test_money_is_set_aside_and_taken(bench: Bench) -> None:
    order = bench.order(capture=CaptureMode.MANUAL)

    answer = bench.gateway.authorise(order)

    assert (answer.fact, answer.moved) == (Fact.AUTHORISED, PRICE)
    assert not bench.charged_minor(order.attempt_id)
    too_much = captured(bench, capture_of(str(answer.gateway_reference), Money(2000, "EUR")))
    assert too_much.fact is StepFact.FAILED
    whole = capture_of(str(answer.gateway_reference))
    taken = captured(bench, whole)
    assert (taken.fact, taken.moved) == (StepFact.SUCCEEDED, PRICE)
    assert sum(bench.charged_minor(order.attempt_id)) == PRICE.amount_minor
    bench.gateway.capture(whole)
    assert sum(bench.charged_minor(order.attempt_id)) == PRICE.amount_minor, "the same capture takes nothing more"


def test_a_part_is_taken_and_the_rest_let_go(bench: Bench) -> None:
    if not bench.gateway.capabilities.has_partial_capture:
        pytest.skip("this gateway captures everything or nothing")
    order = bench.order(capture=CaptureMode.MANUAL)
    reference = str(bench.gateway.authorise(order).gateway_reference)

    taken = captured(bench, capture_of(reference, Money(700, "EUR")))

    assert (taken.fact, taken.moved) == (StepFact.SUCCEEDED, Money(700, "EUR"))
    assert sum(bench.charged_minor(order.attempt_id)) == 700


def test_several_captures_add_up(bench: Bench) -> None:
    if not bench.gateway.capabilities.has_multiple_captures:
        order = capture_of("x", is_final=False)
        with pytest.raises(UnsupportedError):
            bench.gateway.capture(order)
        return
    order = bench.order(capture=CaptureMode.MANUAL)
    reference = str(bench.gateway.authorise(order).gateway_reference)

    for amount in (700, 800):
        part = capture_of(reference, Money(amount, "EUR"), is_final=False)
        assert captured(bench, part).fact is StepFact.SUCCEEDED
    assert captured(bench, capture_of(reference, Money(500, "EUR"))).fact is StepFact.FAILED
    assert captured(bench, capture_of(reference, Money(499, "EUR"))).fact is StepFact.SUCCEEDED
    assert sum(bench.charged_minor(order.attempt_id)) == PRICE.amount_minor


def test_money_that_is_let_go_cannot_be_taken(bench: Bench) -> None:
    order = bench.order(capture=CaptureMode.MANUAL)
    reference = str(bench.gateway.authorise(order).gateway_reference)

    assert voided(bench, void_of(reference)).fact is StepFact.SUCCEEDED
    assert captured(bench, capture_of(reference)).fact is StepFact.FAILED
    assert voided(bench, void_of(paid(bench))).fact is StepFact.FAILED, "captured money is refunded, not voided"
    assert not bench.charged_minor(order.attempt_id)


def test_a_payer_may_agree_to_be_charged_again(bench: Bench) -> None:
    answer = bench.gateway.authorise(bench.order(save_for="payer-1"))
    assert answer.saved is not None

    again = bench.gateway.authorise(bench.charge_saved(answer.saved))

    assert (again.fact, again.moved) == (Fact.CAPTURED, PRICE)
    assert bench.gateway.forget(answer.saved.id, answer.saved.payer_reference)
    gone = bench.gateway.authorise(bench.charge_saved(answer.saved))
    assert gone.fact is Fact.DECLINED
    assert gone.code == "payment_token_invalid"


def test_a_card_is_kept_without_a_charge(bench: Bench) -> None:
    wish = SaveOrder(new_id("attempt", "eu"), "payer-2", bench.token("succeed"), "EUR", RETURN_URL)

    kept = bench.gateway.save(wish)

    assert kept.saved is not None
    assert bench.gateway.save(wish).saved == kept.saved, "kept once"
    assert bench.gateway.authorise(bench.charge_saved(kept.saved)).fact is Fact.CAPTURED
    refused = SaveOrder(new_id("attempt", "eu"), "payer-2", bench.token("decline"), "EUR", RETURN_URL)
    assert bench.gateway.save(refused).fact is StepFact.FAILED


def test_webhooks_tell_the_same_and_prove_where_they_come_from(bench: Bench) -> None:
    bench.news()
    order = bench.order()
    answer = bench.gateway.authorise(order)

    messages = bench.webhooks()

    now = datetime.now(UTC)
    told = {}
    for message in messages:
        event_id = bench.gateway.verify_webhook(message.headers, message.body, now)
        assert event_id == bench.gateway.verify_webhook(message.headers, message.body, now)
        event = bench.gateway.parse_webhook(message.body)
        if isinstance(event.news, AttemptNews):
            told[event.news.attempt_id] = event.news.answer
        forged = message.body.replace(b"1999", b"1998")
        assert forged != message.body
        with pytest.raises(WebhookRejectedError):
            bench.gateway.verify_webhook(message.headers, forged, now)
    assert told[order.attempt_id].fact is Fact.CAPTURED
    assert told[order.attempt_id].moved == PRICE
    assert told[order.attempt_id].gateway_reference == answer.gateway_reference
    with pytest.raises(WebhookRejectedError):
        bench.gateway.verify_webhook({}, b"{}", now)


def test_disputes_are_told_listed_and_contested(bench: Bench) -> None:
    if bench.dispute is None:
        pytest.skip("this gateway's double opens no disputes")
    before = datetime.now(UTC) - timedelta(minutes=1)
    order = bench.order()
    reference = str(bench.gateway.authorise(order).gateway_reference)
    bench.news()

    bench.dispute(reference)

    (told,) = [event.news.dispute for event in bench.news() if isinstance(event.news, DisputeNews)]
    assert (told.payment_reference, told.amount, told.status) == (reference, PRICE, DisputeStatus.NEEDS_RESPONSE)
    if not bench.gateway.capabilities.has_dispute_list:
        with pytest.raises(UnsupportedError):
            bench.gateway.list_disputes(before)
        return
    listed, cursor = [], None
    while True:
        page = bench.gateway.list_disputes(before, cursor)
        listed += page.disputes
        cursor = page.next_cursor
        if cursor is None:
            break
    assert told.gateway_reference in {dispute.gateway_reference for dispute in listed}
    contested = bench.gateway.submit_evidence(told.gateway_reference, {"text": "It was delivered and signed for."})
    assert contested.status is DisputeStatus.UNDER_REVIEW
    with pytest.raises(GatewayRefusedError):
        bench.gateway.submit_evidence("0000000000000000", {"text": "Nothing is known of this one."})


def test_what_a_gateway_cannot_do_is_a_mistake_of_ours(bench: Bench) -> None:
    for method in set(Method) - bench.gateway.capabilities.methods:
        with pytest.raises(UnsupportedError):
            bench.gateway.authorise(replace(bench.order(None), method=method))


def test_the_payers_page_gets_what_it_needs_as_data(bench: Bench) -> None:
    side = bench.gateway.client_side("https://pay.eu.example")

    assert all(
        origin.startswith(("https://", "http://127.0.0.1")) and origin.count("/") == 2 for origin in side.origins
    )
    if side.kind is ClientKind.FRAME:
        assert side.frame_url is not None
        assert side.frame_url.startswith(side.origins[0])
        assert side.channel


def test_a_token_is_described_without_being_used(bench: Bench) -> None:
    order = bench.order()
    assert order.payment_token

    card = bench.gateway.describe_token(order.payment_token)

    assert (card.last4 if card else None) == ("4242" if bench.is_token_readable else None)
    assert card == bench.gateway.describe_token(order.payment_token), "looking changes nothing"
    answer = bench.gateway.authorise(order)
    assert answer.fact is Fact.CAPTURED


@pytest.mark.parametrize("token", ["tok_none", "../payments?reference=x", "tok/../..", "a b"])
def test_a_token_that_is_none_is_not_described(bench: Bench, token: str) -> None:
    assert bench.gateway.describe_token(token) is None
