"""What runs: the JSON that others read and the table that people read."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.stack.state import StateFolder, read_json
from pipelines.stack.supervisor import ProcessInfo, Supervisor

UP = {"RUNNING", "STARTING", "BACKOFF"}  # supervisord keeps it running, or is about to
REGION_FIELDS = (
    *("api_url", "console_url", "console_user", "console_password", "secret_key"),
    *("database_url", "kafka", "lake_uri", "warehouse_path"),
)
AIRFLOW_FIELDS = ("url", "user", "password")
SANDBOX_FIELDS = ("url", "control_key", "database_url")
TABLE_WIDTH = 100
COLOURS = {"RUNNING": "green", "STARTING": "yellow", "BACKOFF": "yellow"}


def is_up(process: ProcessInfo | None) -> bool:
    """True unless somebody has to start it."""
    return process is not None and process.state in UP


def restart_counts(state: StateFolder) -> dict[str, int]:
    """How often each process was started again after it had died, since it was last started by hand."""
    return {name: int(count) for name, count in (read_json(state.restarts_file) or {}).items()}


def collect(state: StateFolder) -> dict[str, Any] | None:
    """The stack's status; None if there is no stack. Regions, addresses and secrets come from stack.json."""
    stack = state.read_stack()
    if stack is None:
        return None
    supervisor = Supervisor(state)
    found = supervisor.processes() if supervisor.is_running() else {}
    restarts = restart_counts(state) if found else {}

    def entry(source: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
        processes = {name: _process(found.get(name), restarts.get(name, 0)) for name in source["processes"]}
        return {**{field: source[field] for field in fields}, "processes": processes}

    regions = {code: entry(source, REGION_FIELDS) for code, source in stack["regions"].items()}
    sandbox = entry(stack["sandbox"], SANDBOX_FIELDS)
    airflow = {"airflow": entry(stack["airflow"], AIRFLOW_FIELDS)} if "airflow" in stack else {}
    parts = [*regions.values(), sandbox, *airflow.values()]
    is_running = all(process["state"] == "RUNNING" for part in parts for process in part["processes"].values())
    return {"regions": regions, "sandbox": sandbox, **airflow, "running": is_running}


def _process(info: ProcessInfo | None, restarts: int) -> dict[str, Any]:
    if info is None:
        return {"state": "STOPPED", "pid": None, "restarts": 0, "uptime_s": 0}
    return {"state": info.state, "pid": info.pid, "restarts": restarts, "uptime_s": info.uptime_s}


def show(status: Mapping[str, Any]) -> None:
    """Print the status for people, wide enough that addresses stay whole. Its only secret: Airflow's local sign-in."""
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(_table(status))
    if found := status.get("airflow"):
        console.print(f"\nAirflow: {found['url']} as {found['user']} with password {found['password']}")


def _table(status: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("part", "process", "state", "pid", "restarts", "up for", "where"):
        table.add_column(heading, justify="right" if heading in {"pid", "restarts", "up for"} else "left")
    others = [(part, status[part]) for part in ("sandbox", "airflow") if part in status]
    for part, entry in (*status["regions"].items(), *others):
        where = {f"web-{part}": entry.get("api_url"), f"kafka-{part}": entry.get("kafka"), "psp": entry.get("url")}
        where |= {f"console-{part}": entry.get("console_url"), "airflow-api": entry.get("url")}
        shown = part
        for name, process in entry["processes"].items():
            table.add_row(
                Text(shown, style="bold"),
                name,
                Text(process["state"], style=COLOURS.get(process["state"], "red")),
                str(process["pid"] or ""),
                Text(str(process["restarts"]), style="yellow" if process["restarts"] else ""),
                _duration(process["uptime_s"]),
                Text(where.get(name) or ""),
            )
            shown = ""
    return table


def _duration(seconds: int) -> str:
    minutes, left = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if not seconds:
        return ""
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s" if minutes else f"{left} s"
