"""Posting a reconciled day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import httpx
import psycopg

from pipelines.books.posting import Posted, carry_out, live_postings, plan, plan_revaluation
from pipelines.books.revaluation import Revaluation, movements, postings, revalue, subjects_of
from pipelines.books.wanted import Value, wanted_postings
from pipelines.fx.landing import stored_days
from pipelines.fx.rates import CrossRate, RateError, RateTable, convert_minor
from pipelines.internal_api import command
from regions.errors import UsageError
from regions.money import exponent
from warehouse.build_record import BuildRecord
from warehouse.builds import Warehouse
from warehouse.lake import Lake, LakeTableMissingError
from warehouse.query import open_published

if TYPE_CHECKING:
    from regions.region import Region

WINDOW_DAYS = 45  # how far back a match may change by itself
_RATES_FROM = ZoneInfo("Europe/Berlin")


class PostedDay(NamedTuple):
    """What was posted, from which build."""

    build: int
    until: date
    done: Posted

    def sentence(self, region: str) -> str:
        """What was done, for people."""
        done = self.done
        return (
            f"books of {region} through {self.until}, from build {self.build}: {done.posted} posted, "
            f"{done.reversed} taken back, {done.unchanged} unchanged, {done.reopened} resolutions re-opened"
        )


class Rates:
    """Values at reference rates as known at a moment; the lake is read when the first is asked for."""

    def __init__(self, region: Region, env: Mapping[str, str]) -> None:
        self._region, self._env = region, env
        self._table: RateTable | None = None

    def value(self, amount_minor: int, base: str, quote: str, at: datetime) -> int | None:
        """What an amount is worth in `quote`; None where no rate applies: nothing is guessed."""
        table = self._rates()
        try:
            rate = table.cross(base, quote, table.published_at(at, at.astimezone(_RATES_FROM).date()))
        except RateError:
            return None
        return convert_minor(amount_minor, rate.rate, exponent(base), exponent(quote))

    def on(self, base: str, quote: str, day: date) -> CrossRate:
        """The rate of a day. Raises RateError."""
        table = self._rates()
        return table.cross(base, quote, table.published_on(day))

    def _rates(self) -> RateTable:
        if self._table is None:
            lake = Lake.open(self._region, self._env)
            try:
                self._table = RateTable(stored_days(lake))
            except LakeTableMissingError:
                self._table = RateTable([])
            finally:
                lake.close()
        return self._table


def published_record(region: Region, env: Mapping[str, str]) -> BuildRecord:
    """The record of the build that is published. Raises NotPublishedError."""
    warehouse = Warehouse.open(region, env)
    open_published(warehouse).close()
    number = warehouse.published()
    return next(record for record in warehouse.records() if record.number == number)


def post_day(
    region: Region, env: Mapping[str, str], service_env: Mapping[str, str], until: date | None, since: date | None
) -> PostedDay | None:
    """Bring the books to what the published build says of the days from `since` (45 before) until `until`.

    `env` is the reader's, `service_env` has the service key. Raises UsageError for a day that the build does not have.
    None for a rerun: what came since is not in its inputs, and the books know it.
    """
    record = published_record(region, env)
    until = until or record.business_date
    if until > record.business_date:
        raise UsageError(f"build-{record.number} is for {record.business_date}: build, reconcile and publish {until}.")
    if record.rerun_of is not None:
        return None
    with open_published(Warehouse.open(region, env)) as build:
        return _post(region, env, service_env, record, build, until, since)


def post_build(
    region: Region, env: Mapping[str, str], service_env: Mapping[str, str], record: BuildRecord
) -> PostedDay | None:
    """Bring the books to what a reconciled build says that is not published yet; otherwise as `post_day`."""
    if record.rerun_of is not None:
        return None
    with duckdb.connect(str(Warehouse.open(region, env).path(record.number)), read_only=True) as build:
        build.execute("SET TimeZone = 'UTC'")
        return _post(region, env, service_env, record, build, record.business_date, None)


def _post(
    region: Region,
    env: Mapping[str, str],
    service_env: Mapping[str, str],
    record: BuildRecord,
    build: duckdb.DuckDBPyConnection,
    until: date,
    since: date | None,
) -> PostedDay:
    since = since or until - timedelta(days=WINDOW_DAYS)
    value: Value = Rates(region, env).value
    with psycopg.connect(region.database_url(env)) as database, httpx.Client() as client:
        wanted = list(wanted_postings(build, region, since, until, value))
        todo = plan(region, wanted, live_postings(database, since), build)
        done = carry_out(todo, lambda path, body: command(region, service_env, path, body, client=client))
    return PostedDay(record.number, until, done)


class Revalued(NamedTuple):
    """What a revaluation found, what it could not, and what was posted."""

    found: list[Revaluation]
    refused: list[str]
    done: Posted


def revalue_day(region: Region, env: Mapping[str, str], service_env: Mapping[str, str], through: date) -> Revalued:
    """Revalue open balances in foreign currencies at a period's end; again changes nothing but what has changed.

    Raises UsageError for a day that the published build does not have.
    """
    record = published_record(region, env)
    if through > record.business_date:
        raise UsageError(
            f"build-{record.number} is for {record.business_date}: build, reconcile and publish {through}."
        )
    functional = region.currencies[0]
    with (
        open_published(Warehouse.open(region, env)) as build,
        psycopg.connect(region.database_url(env)) as database,
        httpx.Client() as client,
    ):
        moved = movements(build, functional, through)
        found, refused = revalue(moved, functional, through, Rates(region, env).on)
        todo = plan_revaluation(database, subjects_of(through), list(postings(region, through, found)))
        done = carry_out(todo, lambda path, body: command(region, service_env, path, body, client=client))
    return Revalued(found, refused, done)
