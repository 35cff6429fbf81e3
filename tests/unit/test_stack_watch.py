import json
import xmlrpc.client
from pathlib import Path

from pipelines.stack.watch import Watch


class Supervisor:
    def __init__(self, *states: tuple[str, str]) -> None:
        self.states = states
        self.started: list[str] = []

    def getAllProcessInfo(self) -> list[dict[str, str]]:  # noqa: N802 - supervisord's name
        return [{"group": name, "name": name, "statename": state} for name, state in self.states]

    def startProcess(self, name: str, _wait: object) -> None:  # noqa: N802 - supervisord's name
        self.started.append(name)
        raise xmlrpc.client.Fault(60, "ALREADY_STARTED")


def starting(name: str, before: str) -> tuple[str, dict[str, str]]:
    return "PROCESS_STATE_STARTING", {"processname": name, "groupname": name, "from_state": before, "tries": "0"}


def test_restarts_are_counted_from_the_last_start_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "restarts.json"
    watch = Watch(path, Supervisor())
    for before in ("STOPPED", "EXITED", "BACKOFF", "FATAL"):
        watch.handle(*starting("relay-eu", before))
    assert json.loads(path.read_text()) == {"relay-eu": 3}
    watch.handle(*starting("relay-eu", "STOPPED"))
    assert json.loads(path.read_text()) == {"relay-eu": 0}


def test_counts_survive_the_listener_itself(tmp_path: Path) -> None:
    path = tmp_path / "restarts.json"
    Watch(path, Supervisor()).handle(*starting("relay-eu", "EXITED"))
    Watch(path, Supervisor()).handle(*starting("relay-eu", "EXITED"))
    assert json.loads(path.read_text()) == {"relay-eu": 2}


def test_what_supervisord_gave_up_on_is_started_again(tmp_path: Path) -> None:
    supervisor = Supervisor(("relay-eu", "FATAL"), ("web-eu", "RUNNING"), ("psp", "STOPPED"))
    Watch(tmp_path / "restarts.json", supervisor).handle("TICK_5", {"when": "0"})
    assert supervisor.started == ["relay-eu:relay-eu"]
