"""`python -m web.pricing.provision --region eu --merchant merch_eu_… --plan plan.toml`, as the role `owner`.

Puts a merchant's price list in force from `--valid-from` (RFC 3339; now unless given) and prints it as JSON. Putting
the same plan in force at the same moment again changes nothing. A plan by the month's volume begins with a month
to come.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from regions.errors import ConfigurationError, MeridianError, UnavailableError
from regions.region import Region, load_region
from web.db.engine import Database
from web.pricing.domain import Plan

_PUT = text("""
INSERT INTO pricing_plans (merchant_id, valid_from, name, terms)
VALUES (:merchant_id, :valid_from, :name, CAST(:terms AS jsonb))
ON CONFLICT (merchant_id, valid_from) DO UPDATE SET name = excluded.name, terms = excluded.terms
""")


def main(arguments: list[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """The command: exit code 0, or the error's own and one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m web.pricing.provision", description="Set a merchant's prices.")
    parser.add_argument("--region", required=True)
    parser.add_argument("--merchant", required=True)
    parser.add_argument("--plan", required=True, type=Path, help="a TOML file: name, tax_percent, [[rules]]")
    parser.add_argument("--valid-from", type=datetime.fromisoformat, help="RFC 3339; now unless given")
    given = parser.parse_args(arguments)
    try:
        shown = _provision(given, env)
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(orjson.dumps(shown).decode() + "\n")
    return 0


def _provision(given: argparse.Namespace, env: Mapping[str, str]) -> dict[str, object]:
    region = load_region(given.region)
    document = _read(given.plan)
    plan = Plan.read(document)
    valid_from = given.valid_from or datetime.now(UTC)
    if valid_from.tzinfo is None:
        raise ConfigurationError("--valid-from needs a time zone, such as 2030-01-01T00:00:00Z.")
    if plan.is_by_volume and (why := _not_a_month_to_come(region, valid_from)):
        raise ConfigurationError(f"--valid-from {why}: a plan by the month's volume counts the whole of it.")
    terms = {name: value for name, value in document.items() if name != "name"}
    values = {"merchant_id": given.merchant, "valid_from": valid_from, "name": plan.name}
    database = Database(region.database_url(env), application_name="meridian-pricing", pool_size=1)
    try:
        with database.transaction() as connection:
            connection.execute(_PUT, {**values, "terms": orjson.dumps(terms).decode()})
    except IntegrityError:
        raise ConfigurationError(f"Region {region.code} has no merchant {given.merchant}.") from None
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        raise UnavailableError(f"The database of region {region.code} cannot be reached or refuses: {reason}") from None
    finally:
        database.dispose()
    return {**values, "terms": terms}


def _not_a_month_to_come(region: Region, valid_from: datetime) -> str | None:
    """Why a plan by volume may not begin then: what was captured of its month before it began is in no volume."""
    begins, _ = region.day_bounds(region.accounting_date(valid_from).replace(day=1))
    if valid_from != begins:
        return f"must be a month's first moment in {region.timezone}, such as {_next_month(region):%Y-%m-%dT%H:%M:%SZ}"
    return "has passed" if valid_from < datetime.now(UTC) else None


def _next_month(region: Region) -> datetime:
    first = region.accounting_date(datetime.now(UTC)).replace(day=1)
    return region.day_bounds((first + timedelta(days=32)).replace(day=1))[0]


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: the pricing plan cannot be read ({error}).") from error


if __name__ == "__main__":
    sys.exit(main())
