"""Whether the numbers agree: pure comparisons, each with a sentence for people when it does not hold."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from pipelines.demo.figures import Book, Break, Figures, Funnel, Reported
from pipelines.demo.traders import Played

SHOWN_MAX = 3  # how many examples a sentence names


@dataclass(frozen=True)
class Check:
    """One comparison. `detail` says what disagrees, and is empty if nothing does."""

    region: str
    what: str
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Whether both sides agree."""
        return not self.detail


def all_checks(figures: Figures, played: Iterable[Played]) -> list[Check]:
    """Every comparison for one region."""
    traded, reported, judged = figures.traded, figures.reported, figures.judged
    results = {
        "every payer saw what the script says": "; ".join(surprise for one in played for surprise in one.surprises),
        "every payment and refund is definite": f"{traded.still_open} are open" if traded.still_open else "",
        "events committed = events in the lake": same_ids(traded.events, reported.events),
        "nothing in quarantine": f"{reported.quarantined} records are" if reported.quarantined else "",
        "our books = the gateway's books": same_books("ours", traded.books, "the gateway's", judged.books),
        "nothing charged or refunded twice": ", ".join(judged.doubled),
        "the warehouse's books = our books": same_books("the warehouse's", reported.books, "ours", traded.books),
        "payments by status: warehouse = database": same_counts(definite(reported.payments), definite(traded.payments)),
        "gateway clearing = what is not settled yet": same_balances(traded.clearing, reported.open_minor),
        "suspense = what nothing of ours explains": same_balances(traded.suspense, negated(reported.unnamed_minor)),
        "bank clearing = what has not arrived": same_balances(traded.bank_clearing, reported.under_way_minor),
        "funnel: warehouse = database": same_funnel(reported.funnel, traded.funnel),
        "every planted break found, none invented": same_breaks(judged.planted, reported.breaks),
        "every settlement line arrived": same_counts({"lines": reported.lines}, {"lines": judged.lines}),
        "every settlement line matched or in a break": lines_explained(reported),
        "no money unexplained": "; ".join(
            f"{minor} {currency} (minor units)"
            for currency, minor in sorted(reported.unexplained_minor.items())
            if minor
        ),
    }
    return [Check(figures.region, what, detail) for what, detail in results.items()]


def definite(payments: Mapping[str, int]) -> dict[str, int]:
    """The payments whose outcome is known: somebody may be paying by hand meanwhile."""
    return {status: count for status, count in payments.items() if status in {"succeeded", "failed"}}


def same_ids(committed: Counter[str], landed: Counter[str]) -> str:
    """Compare event ids as multisets: none lost, none doubled, none invented."""
    lost, extra = committed - landed, landed - committed
    parts = []
    if lost:
        parts.append(f"{lost.total()} of {committed.total()} are not in the lake ({_some(lost)})")
    if extra:
        parts.append(f"{extra.total()} in the lake are doubled or were never committed ({_some(extra)})")
    return "; ".join(parts)


def same_books(us: str, ours: Mapping[str, Book], them: str, theirs: Mapping[str, Book]) -> str:
    """Compare captures and refunds per currency; a currency without any is no difference."""
    nothing = Book()
    return "; ".join(
        f"{currency}: {us} say {_book(ours.get(currency, nothing))}, {them} {_book(theirs.get(currency, nothing))}"
        for currency in sorted(ours.keys() | theirs.keys())
        if ours.get(currency, nothing) != theirs.get(currency, nothing)
    )


def same_counts(theirs: Mapping[str, int], ours: Mapping[str, int]) -> str:
    """Compare counts per name."""
    return "; ".join(
        f"{name}: {theirs.get(name, 0)}, not {ours.get(name, 0)}"
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name, 0) != ours.get(name, 0)
    )


def same_balances(books: Mapping[str, int], reconciled: Mapping[str, int]) -> str:
    """Compare what the ledger holds, in minor units per currency, with what reconciliation says is open."""
    return same_counts(books, reconciled)


def negated(amounts: Mapping[str, int]) -> dict[str, int]:
    """The other side of a balance: what is owed for what was received."""
    return {currency: -minor for currency, minor in amounts.items()}


def same_breaks(planted: Counter[Break], found: Counter[Break]) -> str:
    """Each planted break is found with its class; none is invented."""
    missed, invented = planted - found, found - planted
    parts = [f"missed {_name(one)}" for one in sorted(missed.elements())]
    parts += [f"invented {_name(one)}" for one in sorted(invented.elements())]
    return "; ".join(parts)


def same_funnel(theirs: Funnel, ours: Funnel) -> str:
    """Compare the sessions that got at least as far as each step."""
    return same_counts(asdict(theirs), asdict(ours))


def lines_explained(reported: Reported) -> str:
    """Each money line of the settlement reports is matched, or is in a break."""
    explained = reported.matched_lines + reported.breaks_with_line
    if explained == reported.money_lines:
        return ""
    return (
        f"{reported.matched_lines} are matched and {reported.breaks_with_line} are in breaks, "
        f"but there are {reported.money_lines}"
    )


def _some(ids: Counter[str]) -> str:
    names = sorted(ids)[:SHOWN_MAX]
    return ", ".join(names) + (", …" if len(ids) > SHOWN_MAX else "")


def _name(one: Break) -> str:
    return f"{one.kind} {one.psp_reference}"


def _book(book: Book) -> str:
    return (
        f"{book.captured_count} captures of {book.captured_minor} and {book.refunded_count} refunds of "
        f"{book.refunded_minor} (minor units)"
    )
