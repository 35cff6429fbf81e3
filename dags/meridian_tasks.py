"""What every DAG shares: how a task runs `meridian`, what is said when it fails, assets, pools. Wiring only.

Here because Airflow has this folder on its path; `.airflowignore` keeps it from being searched for DAGs.
"""

import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, Asset, BaseOperator, Context, CronPartitionTimetable, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from pipelines.orchestration.pools import GLOBAL, reader, served, writer
from regions.region import Region

log = logging.getLogger("meridian.airflow")

# The business date: the partition key of the run, or what whoever triggers it writes into its conf.
DATE = "--date={{ dag_run.conf.get('date') or dag_run.partition_key or '' }}"
MISTAKE = 2  # the exit code of `meridian` for a wrong question or configuration: asking again changes nothing
RETRY = {"retries": 2, "retry_delay": timedelta(minutes=2), "retry_exponential_backoff": True}
RUNBOOK = "docs/runbooks/airflow.md"
__all__ = ["DATE", "GLOBAL", "clock", "dag", "morning", "outlet", "reader", "served", "task", "warehouse", "writer"]


def warehouse(region: Region) -> Asset:
    """The published warehouse of a region, partitioned by business date."""
    return Asset(f"{region.code}_warehouse", f"meridian://{region.code}/warehouse")


def outlet(region: Region, name: str) -> Asset:
    """Something else that a region's DAG has brought up to date."""
    return Asset(f"{region.code}_{name}", f"meridian://{region.code}/{name}")


def morning(region: Region, cron: str) -> CronPartitionTimetable:
    """Each morning in the region's time zone, for the business date that has just ended."""
    return CronPartitionTimetable(cron, timezone=region.timezone, run_offset=-1, key_format="%Y-%m-%d")


def clock(cron: str, timezone: str) -> CronTriggerTimetable:
    """By the clock, for jobs that have no business date."""
    return CronTriggerTimetable(cron, timezone=timezone)


def tell(context: Context) -> None:
    """Log, in one sentence, what failed, for which day, why, and where to read on."""
    ti, run = context["ti"], context["dag_run"]
    day = run.partition_key or (run.conf or {}).get("date") or "no date"
    advice = (context["dag"].doc_md or "").splitlines()[-1]
    why = context.get("exception")
    log.error("FAILED %s of %s for %s at try %s: %s. %s", ti.task_id, ti.dag_id, day, ti.try_number, why, advice)


class Meridian(BaseOperator):
    """Runs `meridian ARGUMENT…` as a process of its own: a list, never a shell; empty arguments are left out.

    A wrong question (exit code 2) fails at once; everything else is tried again.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#e8f1f2"

    def __init__(self, *, arguments: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.arguments = arguments

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Run it; its output is the task's log, and nothing of it is kept elsewhere. Raises AirflowException."""
        command = ["meridian", *filter(None, self.arguments)]
        self.hook = SubprocessHook()
        known = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        done = self.hook.run_command(command, env=known)  # Airflow's own secrets are not the job's business
        if done.exit_code:
            kind = AirflowFailException if done.exit_code == MISTAKE else AirflowException
            raise kind(f"`{' '.join(command)}` ended with exit code {done.exit_code}: {done.output}")

    def on_kill(self) -> None:
        """Stop the process; a job that is interrupted leaves nothing half-written."""
        self.hook.send_sigterm()


def task(name: str, command: str, *options: str, pool: str, minutes: int, **more: Any) -> Meridian:
    """One command: its words, then options that may hold templates."""
    arguments = [*command.split(), *options]
    return Meridian(task_id=name, arguments=arguments, pool=pool, execution_timeout=timedelta(minutes=minutes), **more)


def dag(name: str, docs: str, region: Region | None = None, *, schedule: Any, hours: float) -> DAG:
    """A DAG with what all of them have: one run at a time, no catching up, two more tries, somebody is told."""
    return DAG(
        f"{name}_{region.code}" if region else name,
        schedule=schedule,
        dagrun_timeout=timedelta(hours=hours),
        catchup=False,
        max_active_runs=1,  # for politeness; the job's own lock is what guards a region's warehouse
        default_args={"owner": "meridian", "on_failure_callback": tell, **RETRY},
        doc_md=f"{docs}\n\nWhen it fails: {RUNBOOK}, section `{name}`.",
        tags=["meridian", name, region.code if region else "global"],
    )
