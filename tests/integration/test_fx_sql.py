"""The warehouse converts as Python does: every model and macro of FX on DuckDB against pipelines/fx/rates.py."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product

import duckdb
import jinja2
import pytest

from pipelines.fx.ecb import bundled_history
from pipelines.fx.rates import CurrencyNotQuotedError, NoPublicationError, PublishedDay, RateTable, convert_minor
from regions.money import exponent
from regions.target_days import central_date, publication_moment
from warehouse.dbt_runner import PROJECT

SAMPLE = [day for day in bundled_history() if date(2021, 12, 1) <= day.rate_date <= date(2022, 4, 1)]
SAMPLE = [day for day in SAMPLE if not date(2022, 1, 20) <= day.rate_date <= date(2022, 1, 31)]  # longer than the cap
TABLE = RateTable(SAMPLE)
CURRENCIES = ["EUR", "USD", "JPY", "ISK", "RUB", "IDR", "TRY", "INR"]
AMOUNTS = [1, 5, 1234, -1235, 99_999_999, 9_007_199_254_740_991]
FOLDERS = ("staging/fx", "intermediate/fx")


def render(text: str) -> str:
    environment = jinja2.Environment(autoescape=False)  # noqa: S701 - SQL
    macros = environment.from_string((PROJECT / "macros/fx.sql").read_text()).module
    environment.globals |= {
        "ref": lambda name: name,
        "source": lambda _, name: name,
        "fx_convert_minor": macros.fx_convert_minor,  # type: ignore[attr-defined]
        "fx_expires_at": macros.fx_expires_at,  # type: ignore[attr-defined]
    }
    return environment.from_string(text).render()


def store(connection: duckdb.DuckDBPyConnection, days: list[PublishedDay]) -> None:
    connection.execute(
        """CREATE TABLE fx_rates (rate_date date, published_at timestamptz, base varchar, quote varchar,
                                  rate decimal(20, 8), source varchar, file_sha256 varchar, lake_seq bigint)"""
    )
    rows = [
        (day.rate_date, day.published_at, "EUR", quote, rate, day.source, "sha", 1)
        for day in days
        for quote, rate in day.rates.items()
        if quote in CURRENCIES
    ]
    connection.executemany("INSERT INTO fx_rates VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("SET TimeZone = 'UTC'")
        store(made, SAMPLE)
        for name in ("stg_fx_rates", "int_fx_days", "int_fx_quotes"):
            [path] = [path for folder in FOLDERS for path in (PROJECT / "models" / folder).glob(f"{name}.sql")]
            made.execute(f"CREATE TABLE {name} AS {render(path.read_text())}")
        made.execute(f"CREATE TABLE currencies AS FROM read_csv('{PROJECT}/seeds/currencies.csv')")
        yield made


def test_every_date_and_pair_converts_alike(connection: duckdb.DuckDBPyConnection) -> None:
    macro = render("{{ fx_convert_minor('amount', 'a.rate_e8', 'b.rate_e8', 'ca.exponent', 'cb.exponent') }}")
    connection.execute("CREATE OR REPLACE TABLE amounts AS SELECT unnest(?::bigint[]) AS amount", [AMOUNTS])
    rows = connection.execute(
        f"""SELECT a.rate_date, a.currency, b.currency, amount, {macro}
              FROM int_fx_quotes a JOIN int_fx_quotes b USING (rate_date)
              JOIN currencies ca ON ca.currency = a.currency JOIN currencies cb ON cb.currency = b.currency, amounts
             WHERE abs(amount) < 1000000000 OR (b.rate_e8 <= a.rate_e8 AND cb.exponent <= ca.exponent)"""
    ).fetchall()
    wrong = []
    for rate_date, base, quote, amount, converted in rows:
        cross = TABLE.cross(base, quote, TABLE.published_on(rate_date))
        if convert_minor(amount, cross.rate, exponent(base), exponent(quote)) != converted:
            wrong.append((rate_date, base, quote, amount, converted))
    assert wrong == []
    expected = sum((1 + sum(c in d.rates for c in CURRENCIES)) ** 2 for d in SAMPLE)
    assert len({row[:3] for row in rows}) == expected


def test_a_tie_goes_to_the_even_neighbour(connection: duckdb.DuckDBPyConnection) -> None:
    macro = render("{{ fx_convert_minor('n', '2::hugeint', '1::hugeint', '2', '2') }}")
    rows = connection.execute(f"SELECT {macro} FROM (SELECT unnest([1, 3, 5, -1, -3, 0]) AS n)").fetchall()
    assert [row[0] for row in rows] == [0, 2, 2, 0, -2, 0]


def test_a_missing_rate_is_null_and_what_does_not_fit_stops(connection: duckdb.DuckDBPyConnection) -> None:
    macro = render("{{ fx_convert_minor('1', 'NULL::hugeint', '1::hugeint', '2', '2') }}")
    assert connection.execute(f"SELECT {macro}").fetchone() == (None,)
    macro = render(
        "{{ fx_convert_minor('9007199254740991', '1::hugeint', '100000000000000000000000::hugeint', '0', '4') }}"
    )
    with pytest.raises(duckdb.Error, match="[Oo]verflow|out of range"):
        connection.execute(f"SELECT {macro}").fetchone()


def declare(connection: duckdb.DuckDBPyConnection, *declarations: tuple[str, str, datetime]) -> None:
    """What merchants have declared: whom, currency, since when. The model is compiled over the first as created."""
    for name, at, chosen in (("created", "created_at", declarations[:1]), ("updated", "updated_at", declarations[1:])):
        columns = f"merchant_id varchar, settlement_currency varchar, {at} timestamptz"
        connection.execute(f"CREATE OR REPLACE TABLE stg_merchant_{name} ({columns})")
        for one in chosen:
            connection.execute(f"INSERT INTO stg_merchant_{name} VALUES (?, ?, ?)", one)
    sql = render((PROJECT / "models/intermediate/merchants/int_merchant_currencies.sql").read_text())
    connection.execute(f"CREATE OR REPLACE TABLE int_merchant_currencies AS {sql}")


def moments() -> Iterator[datetime]:
    """Around each publication, midnight and the end of the cap."""
    first, last = SAMPLE[0].rate_date, SAMPLE[-1].rate_date
    for number in range(-2, (last - first).days + 12):
        day = first + timedelta(days=number)
        published = publication_moment(day)
        yield from (published - timedelta(microseconds=1), published, published + timedelta(hours=7, minutes=59))
        yield published + timedelta(hours=8)  # midnight


def outcome(at: datetime, base: str, quote: str, amount: int) -> tuple[object, ...]:
    """What Python says: amount, rate date, reason."""
    try:
        day = TABLE.published_at(at, central_date(at))
    except NoPublicationError:
        return None, None, "no_publication"
    try:
        cross = TABLE.cross(base, quote, day)
    except CurrencyNotQuotedError:
        return None, day.rate_date, "currency_not_quoted"
    return convert_minor(amount, cross.rate, exponent(base), exponent(quote)), day.rate_date, None


def test_payments_see_what_python_sees_at_every_moment(connection: duckdb.DuckDBPyConnection) -> None:
    cases = [
        (f"pay_{n}", currency, 123_456, at)
        for n, (at, currency) in enumerate(product(moments(), ["USD", "JPY", "RUB", "TRY"]))
    ]
    connection.execute("CREATE OR REPLACE TABLE run AS SELECT 'INR' AS default_currency")
    connection.execute(
        """CREATE OR REPLACE TABLE stg_payment_created (payment_id varchar, merchant_id varchar, currency varchar,
                                                        amount_minor bigint, created_at timestamptz)"""
    )
    declare(connection)
    connection.execute("CREATE OR REPLACE TABLE stg_payment_succeeded (payment_id varchar, succeeded_at timestamptz)")
    connection.executemany("INSERT INTO stg_payment_created VALUES (?, 'm', ?, ?, ?)", cases)
    sql = render((PROJECT / "models/intermediate/fx/int_payment_fx.sql").read_text())
    found = {row[0]: row[1:] for row in connection.execute(sql).fetchall()}
    assert len(found) == len(cases)
    reasons = set()
    for payment_id, currency, amount, at in cases:
        merchant_currency, merchant, euro, rate_date, _source, reason = found[payment_id]
        assert merchant_currency == "INR"
        assert (merchant, rate_date, reason) == outcome(at, currency, "INR", amount), (at, currency)
        assert (euro, rate_date, reason) == outcome(at, currency, "EUR", amount), (at, currency)
        reasons.add(reason)
    assert reasons == {None, "no_publication", "currency_not_quoted"}


def test_success_and_not_creation_decides_when_money_moved(connection: duckdb.DuckDBPyConnection) -> None:
    created = datetime(2022, 2, 1, 12, tzinfo=UTC)
    connection.execute("CREATE OR REPLACE TABLE run AS SELECT 'EUR' AS default_currency")
    connection.execute(
        "CREATE OR REPLACE TABLE stg_payment_created AS SELECT 'p' AS payment_id, 'm' AS merchant_id, "
        "'USD' AS currency, 100::bigint AS amount_minor, ?::timestamptz AS created_at",
        [created],
    )
    connection.execute(
        "CREATE OR REPLACE TABLE stg_payment_succeeded AS SELECT 'p' AS payment_id, ?::timestamptz AS succeeded_at",
        [created + timedelta(days=2)],
    )
    declare(connection)
    sql = render((PROJECT / "models/intermediate/fx/int_payment_fx.sql").read_text())
    assert [row[4] for row in connection.execute(sql).fetchall()] == [date(2022, 2, 2)]  # 12:00 on the third: not yet


def test_a_merchants_declaration_holds_from_its_moment_until_the_next(connection: duckdb.DuckDBPyConnection) -> None:
    noon = datetime(2022, 2, 2, 12, tzinfo=UTC)
    hours = {"before": -1, "first": 0, "between": 1, "second": 2, "later": 30}
    connection.execute("CREATE OR REPLACE TABLE run AS SELECT 'EUR' AS default_currency")
    connection.execute(
        """CREATE OR REPLACE TABLE stg_payment_created (payment_id varchar, merchant_id varchar, currency varchar,
                                                        amount_minor bigint, created_at timestamptz)"""
    )
    connection.execute("CREATE OR REPLACE TABLE stg_payment_succeeded (payment_id varchar, succeeded_at timestamptz)")
    cases = [(name, "m", noon + timedelta(hours=n)) for name, n in hours.items()] + [("stranger", "n", noon)]
    connection.executemany("INSERT INTO stg_payment_created VALUES (?, ?, 'USD', 1999, ?)", cases)
    declare(connection, ("m", "USD", noon), ("m", "JPY", noon + timedelta(hours=2)))
    sql = render((PROJECT / "models/intermediate/fx/int_payment_fx.sql").read_text())
    found = {row[0]: (row[1], row[2]) for row in connection.execute(sql).fetchall()}
    assert {name: currency for name, (currency, _) in found.items()} == {
        "before": "EUR",
        "first": "USD",
        "between": "USD",
        "second": "JPY",
        "later": "JPY",
        "stranger": "EUR",
    }
    assert found["between"][1] == 1999
    assert found["later"][1] == outcome(noon + timedelta(hours=30), "USD", "JPY", 1999)[0]


def test_exponents_are_those_of_the_kernel() -> None:
    lines = (PROJECT / "seeds/currencies.csv").read_text().splitlines()[1:]
    assert {code: int(digits) for code, digits in (line.split(",") for line in lines)} == {
        line.split(",")[0]: exponent(line.split(",")[0]) for line in lines
    }
    assert {"EUR", "JPY", "KWD", "INR", "HKD"} <= {line.split(",")[0] for line in lines}


def test_the_scaled_rate_is_exact(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute("SELECT rate, rate_e8 FROM stg_fx_rates").fetchall()
    assert all(rate * 10**8 == Decimal(scaled) for rate, scaled in rows)
