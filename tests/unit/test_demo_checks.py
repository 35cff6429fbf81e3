from collections import Counter
from dataclasses import replace

import pytest

from pipelines.demo.checks import Check, all_checks
from pipelines.demo.figures import Book, Break, Figures, Funnel, Judged, Reported, Traded
from pipelines.demo.script import plan
from pipelines.demo.traders import Played

BOOKS = {"EUR": Book(3, 3000, 1, 500)}
BREAKS = Counter([Break("amount", "11"), Break("missing_at_gateway", "12")])
TRADED = Traded(
    payments=Counter(succeeded=3, failed=1),
    events=Counter(["a", "b", "c"]),
    books=BOOKS,
    clearing={"EUR": 2500, "USD": 0},
    suspense={"EUR": -40},
    bank_clearing={"EUR": 0},
    funnel=Funnel(5, 4, 3),
)
REPORTED = Reported(
    events=Counter(["c", "b", "a"]),
    payments=Counter(failed=1, succeeded=3, processing=1),
    books=BOOKS,
    funnel=Funnel(5, 4, 3),
    lines=5,
    money_lines=3,
    matched_lines=2,
    breaks=BREAKS,
    breaks_with_line=1,
    unexplained_minor={"EUR": 0},
    open_minor={"EUR": 2500},
    unnamed_minor={"EUR": 40},
)
JUDGED = Judged(books=BOOKS, planted=BREAKS, lines=5)
AGREEING = Figures("eu", TRADED, REPORTED, JUDGED)
ERRAND = plan("eu", ("EUR",), ("de",), 1, 10)[0]


def broken(figures: Figures, *played: Played) -> list[Check]:
    return [check for check in all_checks(figures, played) if not check.holds]


def test_agreeing_numbers_agree() -> None:
    assert broken(AGREEING, Played("eu", ERRAND)) == []


@pytest.mark.parametrize(
    ("figures", "what", "detail"),
    [
        (
            replace(AGREEING, reported=replace(REPORTED, events=Counter(["a", "b"]))),
            "events committed = events in the lake",
            "1 of 3 are not in the lake (c)",
        ),
        (
            replace(AGREEING, reported=replace(REPORTED, events=Counter(["a", "b", "c", "c"]))),
            "events committed = events in the lake",
            "1 in the lake are doubled or were never committed (c)",
        ),
        (
            replace(AGREEING, judged=replace(JUDGED, books={"EUR": Book(4, 4000, 1, 500)})),
            "our books = the gateway's books",
            (
                "EUR: ours say 3 captures of 3000 and 1 refunds of 500 (minor units), "
                "the gateway's 4 captures of 4000 and 1 refunds of 500 (minor units)"
            ),
        ),
        (
            replace(AGREEING, reported=replace(REPORTED, books={})),
            "the warehouse's books = our books",
            "EUR: the warehouse's say 0 captures",
        ),
        (
            replace(AGREEING, reported=replace(REPORTED, payments=Counter(succeeded=2, failed=2))),
            "payments by status: warehouse = database",
            "failed: 2, not 1; succeeded: 2, not 3",
        ),
        (replace(AGREEING, judged=replace(JUDGED, doubled=["att_1"])), "nothing charged or refunded twice", "att_1"),
        (replace(AGREEING, traded=replace(TRADED, still_open=2)), "every payment and refund is definite", "2 are open"),
        (replace(AGREEING, traded=replace(TRADED, clearing={"EUR": 3000})), "gateway clearing", "EUR: 3000, not 2500"),
        (replace(AGREEING, traded=replace(TRADED, suspense={"EUR": 40})), "suspense", "EUR: 40, not -40"),
        (replace(AGREEING, reported=replace(REPORTED, under_way_minor={"EUR": 7})), "bank clearing", "EUR: 0, not 7"),
        (replace(AGREEING, reported=replace(REPORTED, funnel=Funnel(5, 4, 2))), "funnel", "completed: 2, not 3"),
        (replace(AGREEING, reported=replace(REPORTED, quarantined=1)), "nothing in quarantine", "1 records are"),
        (replace(AGREEING, reported=replace(REPORTED, lines=4)), "every settlement line arrived", "lines: 4, not 5"),
        (
            replace(AGREEING, reported=replace(REPORTED, matched_lines=1)),
            "every settlement line matched",
            "1 are matched",
        ),
        (replace(AGREEING, reported=replace(REPORTED, unexplained_minor={"EUR": 7})), "no money unexplained", "7 EUR"),
        (
            replace(
                AGREEING, reported=replace(REPORTED, breaks=Counter([Break("amount", "11"), Break("duplicate", "12")]))
            ),
            "every planted break found, none invented",
            "missed missing_at_gateway 12; invented duplicate 12",
        ),
    ],
)
def test_each_disagreement_is_told(figures: Figures, what: str, detail: str) -> None:
    [check] = broken(figures)
    assert check.what.startswith(what)
    assert check.detail.startswith(detail)


def test_a_surprised_payer_is_told() -> None:
    [check] = broken(AGREEING, Played("eu", ERRAND, surprises=("DEMO-EU-0001: saw 'failed'",)))
    assert check.what == "every payer saw what the script says"
    assert "DEMO-EU-0001" in check.detail
