"""`python -m web.merchants.close --region eu --merchant merch_eu_…`, as the role `owner`: the relationship ends.

Its keys are revoked at once. Retention takes its name, keys and users away when the law lets it. Again changes nothing.
"""

import argparse
import os
import sys
from collections.abc import Mapping

from sqlalchemy.exc import OperationalError

from regions.errors import MeridianError, UnavailableError
from regions.region import load_region
from web.clock import utc_now
from web.db.engine import Database
from web.merchants import service


def main(arguments: list[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """The command: exit code 0, or the error's own and one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m web.merchants.close", description="End a merchant's relationship.")
    parser.add_argument("--region", required=True)
    parser.add_argument("--merchant", required=True)
    given = parser.parse_args(arguments)
    try:
        closed_at = _close(given.region, given.merchant, env)
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{given.merchant} is closed since {closed_at}\n")
    return 0


def _close(region_code: str, merchant_id: str, env: Mapping[str, str]) -> str:
    region = load_region(region_code)
    database = Database(region.database_url(env), application_name="meridian-close", pool_size=1)
    try:
        with database.transaction() as connection:
            return service.close(connection, merchant_id, utc_now())
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        raise UnavailableError(f"The database of region {region.code} cannot be reached or refuses: {reason}") from None
    finally:
        database.dispose()


if __name__ == "__main__":
    sys.exit(main())
