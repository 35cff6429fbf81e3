"""The simulated PSP's own dials: closing batches with errors planted, and asking it what really happened."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import httpx

from regions.errors import MeridianError, UnavailableError, UsageError

TIMEOUT_S = 30.0
_REFUSALS = frozenset({400, 404, 409, 422})


class ControlError(MeridianError):
    """The simulated PSP does not do as its control endpoints are told."""


class RefusedError(UsageError):
    """What was asked of the simulated PSP cannot be; the message is its own sentence."""


class NoSuchObjectError(RefusedError):
    """An account of the simulated PSP has no such payment or dispute."""


class Control:
    """Speaks to one simulated PSP."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key

    @classmethod
    def of(cls, sandbox: Mapping[str, Any]) -> "Control":
        """The one of a local stack (`sandbox` in stack.json)."""
        return cls(sandbox["url"], sandbox["control_key"])

    def settle(self, account: str, day: date, plants: Sequence[str] = ()) -> dict[str, Any]:
        """Close the account's batch of the day, with errors planted."""
        body = {"account": account, "date": day.isoformat(), "plant": list(plants)}
        return self._read(self._call("POST", "/_control/settle", self._key, json=body))

    def turn_faults(self, account: str, **dials: int) -> dict[str, Any]:
        """Make the account's gateway misbehave (latency_ms, duplicate_webhooks, …), and show all dials."""
        shown = self._read(self._call("POST", "/_control", self._key, json={"account": account, **dials}))
        dial: dict[str, Any] = shown["data"][0]
        return dial

    def dispute(self, account: str, payment_id: str, **wishes: object) -> dict[str, Any]:
        """Let a payer complain: reason, amount_minor, respond_within_seconds."""
        given = {name: value for name, value in wishes.items() if value is not None}
        body = {"account": account, "payment_id": payment_id, **given}
        return self._read(self._call("POST", "/_control/disputes", self._key, json=body))

    def decide(self, account: str, dispute_id: str, outcome: str) -> dict[str, Any]:
        """Let the bank decide a dispute: won or lost."""
        body = {"account": account, "outcome": outcome}
        return self._read(self._call("POST", f"/_control/disputes/{dispute_id}", self._key, json=body))

    def transfer(self, account: str, payment_id: str, amount_minor: int | None) -> dict[str, Any]:
        """Let a payer push money."""
        body: dict[str, Any] = {"account": account, "payment_id": payment_id}
        body |= {} if amount_minor is None else {"amount_minor": amount_minor}
        return self._read(self._call("POST", "/_control/transfers", self._key, json=body))

    def payment_of(self, attempt_id: str, api_key: str) -> str:
        """The PSP's id of an attempt's payment; raises NoSuchObjectError when there is none."""
        found = self.get("/v1/payments", key=api_key, reference=attempt_id)["data"]
        if not found:
            raise NoSuchObjectError(f"The simulated PSP knows no payment of the attempt {attempt_id}.")
        return str(found[-1]["id"])

    def get(self, path: str, *, key: str | None = None, **parameters: str) -> dict[str, Any]:
        """A document, with the control key or an account's own."""
        return self._read(self._call("GET", path, key or self._key, params=parameters))

    def _call(self, method: str, path: str, key: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        url = self._url + path
        try:
            return httpx.request(method, url, headers=headers, timeout=TIMEOUT_S, trust_env=False, **arguments)
        except httpx.TransportError as error:
            raise UnavailableError(f"The simulated PSP at {self._url} does not answer: is the stack up?") from error

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        if response.is_success:
            document: dict[str, Any] = response.json()
            return document
        if response.status_code in _REFUSALS:
            problem = response.json()
            wrong = [f"{one['pointer'].lstrip('/')}: {one['detail']}" for one in problem.get("errors") or ()]
            kind = NoSuchObjectError if response.status_code == httpx.codes.NOT_FOUND else RefusedError
            raise kind(f"The simulated PSP refuses: {' '.join(wrong) or problem['detail']}")
        raise ControlError(
            f"The simulated PSP answered {response.status_code} to {response.request.method} "
            f"{response.request.url.path}: {response.text[:300]}"
        )
