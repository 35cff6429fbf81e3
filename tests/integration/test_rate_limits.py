"""Allowances: shared by processes, exact, told in headers; a flood stops before the database."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from flask import Flask

from regions.region import load_region
from tests.support.api import BODY, problem
from tests.support.regional import RegionDatabase
from web.app import create_app
from web.background import housekeeping
from web.db.engine import Database
from web.rates.domain import Bucket, Rate, Standing, headers, rate_of
from web.rates.limiter import LEASE_SECONDS, ExhaustedError, RateLimiter
from web.settings import Settings

SLOW = 0.001  # a second: nothing refills while a test runs


@pytest.fixture
def process(region_database: RegionDatabase) -> Iterator[Callable[..., RateLimiter]]:
    """Limiters with connections of their own, as processes have."""
    with ExitStack() as stack:

        def make(**options: object) -> RateLimiter:
            database = Database(region_database.role_urls["web"], application_name="rates", pool_size=4)
            stack.callback(database.dispose)
            return RateLimiter(database, **options)  # type: ignore[arg-type]

        yield make


def bucket(name: str, rate: Rate) -> Bucket:
    return Bucket("key", name.encode().ljust(16), rate)


def spent(limiter: RateLimiter, asked: list[Bucket], times: int) -> int:
    done = 0
    for _ in range(times):
        try:
            limiter.spend(asked)
        except ExhaustedError:
            continue
        done += 1
    return done


def test_four_processes_of_four_threads_let_in_the_burst_and_not_one_more(
    process: Callable[..., RateLimiter],
) -> None:
    asked = [bucket("crowd", Rate(SLOW, 50))]
    processes = [process() for _ in range(4)]
    with ThreadPoolExecutor(16) as pool:
        done = sum(pool.map(lambda number: spent(processes[number % 4], asked, 40), range(16)))
    assert done == 50


def test_most_requests_ask_nobody(process: Callable[..., RateLimiter], region_database: RegionDatabase) -> None:
    limiter = process()
    asked = [bucket("often", Rate(100, 1000))]
    assert spent(limiter, asked, 25) == 25
    with region_database.connect("postgres") as connection:
        level = "SELECT granted, level FROM rate_buckets WHERE bucket = %s"
        granted, left = connection.execute(level, [asked[0].name]).fetchone() or (0, 0)
        assert (granted, left) == (25, 975), "a quarter of a second's worth was leased at once"


def test_an_empty_allowance_is_not_asked_for_again_before_it_can_have_refilled(
    process: Callable[..., RateLimiter], region_database: RegionDatabase
) -> None:
    moment = [0.0]
    limiter = process(clock=lambda: moment[0])
    asked = [bucket("flood", Rate(SLOW, 1))]
    limiter.spend(asked)
    with pytest.raises(ExhaustedError) as first:
        limiter.spend(asked)
    assert 900 < first.value.seconds <= 1000
    with region_database.connect("postgres") as connection:
        connection.execute("UPDATE rate_buckets SET level = 1 WHERE bucket = %s", [asked[0].name])
    assert spent(limiter, asked, 5) == 0
    moment[0] = 1001.0
    assert spent(limiter, asked, 5) == 1


def test_an_allowance_refills_and_a_lease_that_was_not_spent_is_lost(
    process: Callable[..., RateLimiter], region_database: RegionDatabase
) -> None:
    moment = [0.0]
    limiter = process(clock=lambda: moment[0])
    asked = [bucket("slow", Rate(10, 32))]
    limiter.spend(asked)
    moment[0] = LEASE_SECONDS + 1
    with region_database.connect("postgres") as connection:
        connection.execute(
            "UPDATE rate_buckets SET level = 0, at = clock_timestamp() - interval '1 second' WHERE bucket = %s",
            [asked[0].name],
        )
    assert 9 <= spent(limiter, asked, 20) <= 12


def test_two_allowances_are_spent_together_or_not_at_all(process: Callable[..., RateLimiter]) -> None:
    limiter = process()
    wide, narrow = bucket("wide", Rate(SLOW, 10)), bucket("narrow", Rate(SLOW, 2))
    assert spent(limiter, [wide, narrow], 6) == 2
    assert spent(limiter, [wide], 20) == 8


@pytest.fixture
def strict(region_database: RegionDatabase) -> Iterator[Callable[..., Flask]]:
    with ExitStack() as stack:

        def make(**rates: Rate) -> Flask:
            region = load_region("eu")
            app = create_app(region, replace(Settings.from_environment(region, region_database.env), **rates))
            stack.callback(app.extensions["meridian"].database.dispose)
            return app

        yield make


def test_a_key_that_asks_too_often_is_told_when_to_come_again(
    strict: Callable[..., Flask], region_database: RegionDatabase
) -> None:
    client = strict(rate_per_key=Rate(0.5, 3), rate_per_address=Rate(1000, 1000)).test_client()
    own, other = ({"Authorization": f"Bearer {region_database.add_merchant()[1]}"} for _ in range(2))
    answers = [client.post("/v1/links", json=BODY, headers=own) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"address";q=1000;w=1, "key";q=3;w=6'
    assert answers[0].headers["RateLimit"].endswith('"key";r=2;t=2')
    document = problem(answers[3], 429, "rate_limited")
    assert answers[3].headers["Retry-After"] in {"1", "2"}
    assert answers[3].headers["Retry-After"] in document["detail"]
    assert answers[3].headers["RateLimit"].endswith('"key";r=0;t=6')
    assert client.get("/v1/links", headers=other).status_code == 200


def test_an_address_is_limited_whatever_key_it_tries_and_on_payers_pages(
    strict: Callable[..., Flask], region_database: RegionDatabase
) -> None:
    client = strict(rate_per_address=Rate(SLOW, 6)).test_client()
    here, there = {"REMOTE_ADDR": "198.51.100.7"}, {"REMOTE_ADDR": "198.51.100.8"}
    guesses = [client.get("/v1/links", headers={"Authorization": "Bearer x"}, environ_base=here) for _ in range(3)]
    pages = [client.get("/l/4cJrV8tQ2sYw0n6ZbXXXXX", environ_base=here) for _ in range(3)]
    assert [answer.status_code for answer in guesses + pages] == [401] * 3 + [404] * 3
    own = {"Authorization": f"Bearer {region_database.secret_key}"}
    problem(client.get("/v1/links", headers=own, environ_base=here), 429, "rate_limited")
    assert client.get("/l/4cJrV8tQ2sYw0n6ZbXXXXX", environ_base=here).status_code == 429
    assert client.get("/v1/links", headers=own, environ_base=there).status_code == 200
    assert client.get("/healthz", environ_base=here).status_code == 200


def test_full_allowances_are_forgotten(region_app: Flask, region_database: RegionDatabase) -> None:
    with region_database.connect("postgres") as connection:
        connection.execute(
            """INSERT INTO rate_buckets (bucket, per_second, burst, level, granted, at)
               VALUES ('full............', 1, 60, 0, 1, now() - interval '2 minutes'),
                      ('half............', 1, 600, 0, 1, now() - interval '2 minutes')"""
        )
        settings = Settings.from_environment(load_region("eu"), region_database.env_for("worker"))
        database = Database(settings.database_url, application_name="worker", pool_size=1)
        try:
            wiring = replace(region_app.extensions["meridian"], database=database)
            assert housekeeping.step_rates(wiring) is False
        finally:
            database.dispose()
        names = {bytes(row[0]) for row in connection.execute("SELECT bucket FROM rate_buckets").fetchall()}
    assert b"half............" in names
    assert b"full............" not in names


def test_what_a_rate_is_written_like() -> None:
    assert rate_of(" 100/500 ") == Rate(100, 500)
    assert rate_of("0.5/3") == Rate(0.5, 3)
    assert [rate_of(text) for text in ("", "0/5", "5/0", "5", "-1/5", "1e3/5", "5/2.5")] == [None] * 7
    standing = Standing(Bucket("key", b"", Rate(100, 500)), 250)
    assert headers([standing]) == {"RateLimit-Policy": '"key";q=500;w=5', "RateLimit": '"key";r=250;t=3'}
