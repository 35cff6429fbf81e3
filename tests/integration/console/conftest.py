from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.recon import bank_landing
from pipelines.recon.statements import parse_statement
from tests.support.console import House, house_on
from tests.support.regional import RegionDatabase
from tests.support.warehouse import DAY, Bench, TradedDay, bench
from web.console.accounts import domain
from web.sandbox.bank import camt_statement
from web.sandbox.bank.domain import Entry, statements_of


@pytest.fixture(scope="module", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hashes carry their parameters; `test_console_passwords.py` checks the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain, "MEMORY_KIB", 64)
        yield


@dataclass(frozen=True)
class Traded:
    """Two merchants who traded on one day, in one published build: the first is `region_database`'s."""

    house: House
    own: TradedDay
    other: TradedDay
    other_id: str
    planted: list[dict[str, object]]
    folder: Path


@pytest.fixture(scope="session")
def traded(region_database: RegionDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traded]:
    with bench(tmp_path_factory.mktemp("console")) as place:
        other_id, _ = region_database.add_merchant("Other Ltd")
        own = TradedDay(place.region, seed=1)
        own.merchant_id = region_database.merchant_id
        other = TradedDay(place.region, seed=2)
        other.merchant_id = other_id
        own.trade(12)
        other.trade(7)
        for day in (own, other):
            place.append(day.events)
        both = TradedDay(place.region, seed=3)
        both.items = [*own.items, *other.items]
        content, planted = both.report(["amount", "missing_with_us", "duplicate"])
        place.land(content)
        _state(place)
        place.build()
        house = house_on(region_database, place.warehouse.folder)
        yield Traded(house, own, other, other_id, planted, place.warehouse.folder)


def _state(place: Bench) -> None:
    """The payout never arrives, and something arrives that nobody announced."""
    unknown = Entry(DAY, "EUR", 4711, "UNK1", "Transfer UNK1")
    for day in (DAY, DAY + timedelta(days=9)):
        content = camt_statement.render(statements_of("MeridianEU", day, [unknown], {}))
        bank_landing.land(place.lake, place.region, parse_statement(content, name="s"), livemode=False)


@pytest.fixture
def empty(region_database: RegionDatabase, tmp_path: Path) -> House:
    """A console whose warehouse has no build yet."""
    return house_on(region_database, tmp_path / "warehouse")


@pytest.fixture(scope="session")
def house(region_database: RegionDatabase, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A console for what needs no warehouse."""
    return house_on(region_database, tmp_path_factory.mktemp("no-warehouse"))


@pytest.fixture
def new_house(new_region_database: Callable[..., RegionDatabase], tmp_path: Path) -> House:
    """A console of a region in which nothing has happened."""
    return house_on(new_region_database(), tmp_path / "warehouse")
