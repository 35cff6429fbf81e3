"""`python -m web.merchants.provision --region eu --name … --country DE`, as the role `owner`.

Options: --settlement-currency (what the merchant is paid out in; the region's first unless given) and --secret-key.

Prints {"merchant_id", "secret_key"}. With a secret key that exists already it prints the same and changes nothing, but
for a settlement currency that differs.
MERCHANT_SECRET_KEY in the environment does the same as --secret-key, unseen by other users of the machine.
"""

import argparse
import os
import sys
from collections.abc import Mapping

import orjson
from sqlalchemy.exc import OperationalError

from regions.errors import MeridianError, UnavailableError
from regions.region import load_region
from web.db.engine import Database
from web.merchants import service


def main(arguments: list[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """The command: exit code 0, or the error's own and one sentence on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m web.merchants.provision", description="Make a merchant and its key."
    )
    parser.add_argument("--region", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--country", required=True)
    parser.add_argument("--settlement-currency", help="ISO 4217; the region's first unless given")
    parser.add_argument("--secret-key", default=env.get("MERCHANT_SECRET_KEY") or None)
    given = parser.parse_args(arguments)
    try:
        merchant_id, secret_key = _provision(given, env)
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(orjson.dumps({"merchant_id": merchant_id, "secret_key": secret_key}).decode() + "\n")
    return 0


def _provision(given: argparse.Namespace, env: Mapping[str, str]) -> tuple[str, str]:
    region = load_region(given.region)
    pepper = region.key_pepper(env)
    database = Database(region.database_url(env), application_name="meridian-provision", pool_size=1)
    try:
        with database.transaction() as connection:
            return service.provision(
                connection,
                region,
                pepper,
                name=given.name,
                country=given.country,
                secret_key=given.secret_key,
                settlement_currency=given.settlement_currency,
            )
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        raise UnavailableError(f"The database of region {region.code} cannot be reached or refuses: {reason}") from None
    finally:
        database.dispose()


if __name__ == "__main__":
    sys.exit(main())
