from pipelines.demo.script import ATTACKED, PAYS, Aftermath, Behaviour, plan
from regions.money import exponent


def test_the_same_seed_gives_the_same_traders() -> None:
    assert plan("eu", ("EUR", "PLN"), ("de",), 7, 30) == plan("eu", ("EUR", "PLN"), ("de",), 7, 30)
    assert plan("eu", ("EUR",), ("de",), 7, 30) != plan("eu", ("EUR",), ("de",), 8, 30)
    assert plan("eu", ("EUR",), ("de",), 7, 30) != plan("us", ("EUR",), ("de",), 7, 30)


def test_even_the_shortest_run_does_everything_once() -> None:
    errands = plan("eu", ("EUR", "SEK", "PLN"), ("de", "en"), 1, 1)
    assert {visit.behaviour for errand in errands for visit in errand.visits} == set(Behaviour)
    assert {errand.aftermath for errand in errands} == set(Aftermath)
    assert len({errand.currency for errand in errands}) > 1
    assert any(errand.usage == "multi" and errand.paid_count > 1 for errand in errands)


def test_amounts_are_whole_minor_units_and_splittable() -> None:
    for currency in ("EUR", "JPY", "INR"):
        for errand in plan("eu", (currency,), ("de",), 3, 60):
            assert isinstance(errand.amount_minor, int)
            least = 1 if errand.reference.startswith(ATTACKED) else 5
            assert errand.amount_minor >= least * 10 ** exponent(currency)


def test_only_paid_links_are_refunded() -> None:
    refunds = {Aftermath.REFUND_WHOLE, Aftermath.REFUND_PART, Aftermath.REFUND_IN_TWO}
    for errand in plan("us", ("USD",), ("en-US",), 11, 200):
        if errand.aftermath in refunds:
            assert {visit.behaviour for visit in errand.visits} & PAYS
