"""The retry schedule as declared in `regions/contracts/renewals.toml`: whatever is wrong there stops the process."""

from functools import cache
from pathlib import Path

from regions.contract_files import CONTRACTS
from regions.toml_reader import TomlReader
from web.gateways.declines import Reason
from web.renewals.domain import Policy, policy_of

RENEWALS_FILE = CONTRACTS / "renewals.toml"


@cache
def load_policy(path: Path = RENEWALS_FILE) -> Policy:
    """Read and judge the schedule. Raises ConfigurationError naming the file and the field."""
    top = TomlReader.open(path)
    policy = policy_of(
        top.integers("retry_hours", minimum=1),
        # What never arrived was lost on the way, whatever the way was.
        [*top.texts("outage_reasons", choices=[str(reason) for reason in Reason]), "not_processed"],
        top.integer("outage_minutes", 1),
        top.integer("outage_minutes_max", 1),
    )
    top.finish()
    return policy
