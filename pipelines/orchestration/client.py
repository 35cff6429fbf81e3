"""The local stack's Airflow, over its REST API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx

from pipelines.stack.errors import StackError, StackUsageError

if TYPE_CHECKING:
    from pipelines.stack.state import StateFolder

NOT_FOUND = 404
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class AirflowClient:
    """Signs in anew for each call; these are few."""

    url: str
    user: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, state: StateFolder) -> AirflowClient:
        """The Airflow of a stack. Raises StackUsageError if the stack has none."""
        found = (state.read_stack() or {}).get("airflow")
        if found is None:
            raise StackUsageError(f"There is no Airflow in {state.path}: start one with `meridian up --airflow`.")
        return cls(found["url"], found["user"], found["password"])

    def trigger(self, name: str, day: date, *, refresh: bool = False) -> str:
        """Start a run for a business date; its id. Raises StackUsageError for a DAG that there is none of."""
        body: dict[str, Any] = {"logical_date": None, "conf": {"date": day.isoformat(), "refresh": refresh}}
        if self._ask("GET", f"/dags/{name}/details")["timetable_partitioned"]:
            body["partition_key"] = day.isoformat()
        return str(self._ask("POST", f"/dags/{name}/dagRuns", json=body)["dag_run_id"])

    def state(self, name: str, run: str) -> str:
        """The state of a run: queued, running, success, failed."""
        return str(self._ask("GET", f"/dags/{name}/dagRuns/{run}")["state"])

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The runs of a DAG."""
        return list(self._ask("GET", f"/dags/{name}/dagRuns")["dag_runs"])

    def _ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        with httpx.Client(base_url=self.url, timeout=TIMEOUT_S) as client:
            signed_in = client.post("/auth/token", json={"username": self.user, "password": self.password})
            self._check(signed_in, "/auth/token")
            token = signed_in.json()["access_token"]
            answer = client.request(method, f"/api/v2{path}", headers={"Authorization": f"Bearer {token}"}, **body)
            self._check(answer, path)
            found: dict[str, Any] = answer.json()
            return found

    def _check(self, answer: httpx.Response, path: str) -> None:
        if answer.status_code == NOT_FOUND:
            raise StackUsageError(f"Airflow has no {path.strip('/')}: see `meridian airflow cli dags list`.")
        if answer.is_error:
            raise StackError(f"Airflow refused {path} with status {answer.status_code}: {answer.text[:300]}")
