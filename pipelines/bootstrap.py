"""Where a job of the `meridian` command gets its environment from."""

import os
import re
from collections.abc import Mapping
from typing import Any

from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import StateFolder, state_path

# Variables without their region's suffix, and the field of stack.json that a local stack has for each.
_PUBLIC = {"API_BASE_URL": "api_url", "CONSOLE_URL": "console_url"}
_DATA = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka",
    "LAKE_URI": "lake_uri",
    "WAREHOUSE_URI": "warehouse_uri",
    "SANDBOX_API_KEY": "sandbox_api_key",  # settlement reports are fetched with it
}
_SERVICE = {
    "VAULT_URI": "vault_uri",
    "KEY_PEPPER": "key_pepper",
    "SERVICE_KEY": "service_key",
    "SANDBOX_API_KEY": "sandbox_api_key",
    "SANDBOX_WEBHOOK_SECRET": "sandbox_webhook_secret",
}
_OF_ROLE: Mapping[str, Mapping[str, str]] = {
    **{role: {**_PUBLIC, **_DATA} for role in ("relay", "lake", "reader")},
    **{role: {**_PUBLIC, **_SERVICE} for role in ("owner", "web", "worker")},
    "dispatcher": {**_PUBLIC, "KAFKA_BOOTSTRAP_SERVERS": "kafka", "VAULT_URI": "vault_uri"},
    "retention": {**_PUBLIC, **_DATA, **_SERVICE},  # it erases in every store
}
_LOGIN = re.compile(rf"(?P<plain>DATABASE_URL_[A-Z0-9]+)_(?P<role>{'|'.join(role.upper() for role in _OF_ROLE)})")


def environment(role: str) -> dict[str, str]:
    """The environment of a job that works under one database role.

    Real environment variables win, and `DATABASE_URL_<REGION>_<ROLE>` over `DATABASE_URL_<REGION>`: whoever starts jobs
    of several roles, such as Airflow, gives each role's login, and a job sees only its own. What they leave open comes
    from the local stack of `$MERIDIAN_STATE`, if there is one: addresses, the role's own `DATABASE_URL_<REGION>` and no
    other's, and the secrets that its kind of work needs.
    Raises ConfigurationError if stack.json cannot be read.
    """
    if role not in _OF_ROLE:
        raise ValueError(f"{role} is no database role: use one of {', '.join(_OF_ROLE)}")
    return {**_from_stack(local_stack(), role), **_of_role(os.environ, role)}


def _of_role(variables: Mapping[str, str], role: str) -> dict[str, str]:
    """The variables as a job of `role` sees them: its own logins by their plain names, no other role's."""
    found, logins = {}, {}
    for name, value in variables.items():
        login = _LOGIN.fullmatch(name)
        if login is None:
            found[name] = value
        elif login["role"] == role.upper() and value:
            logins[login["plain"]] = value
    return found | logins


def local_stack() -> dict[str, Any] | None:
    """What `meridian up` wrote about the stack in `$MERIDIAN_STATE`; None if there is none."""
    return StateFolder(state_path()).read_stack()


def _from_stack(stack: Mapping[str, Any] | None, role: str) -> dict[str, str]:
    if stack is None:
        return {}
    try:
        found = {"SANDBOX_URL": stack["sandbox"]["url"], "MERIDIAN_STATE": str(state_path())}
        for code, region in stack["regions"].items():
            suffix = code.upper()
            found[f"DATABASE_URL_{suffix}"] = region["role_urls"][role]
            found |= {f"{name}_{suffix}": region[field] for name, field in _OF_ROLE[role].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise StackUsageError(f"{state_path() / 'stack.json'} is damaged: run `meridian up` again.") from error
    return found
