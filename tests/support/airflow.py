"""An Airflow for tests: `dag.test()` by one process that stays, on metadata of its own; and what DAGs are held to."""

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import typer

from pipelines.demo import jobs
from tests.support.local_stack import REPOSITORY, LocalStack

LINES_MAX = 40
DAGS = REPOSITORY / "dags"
MARK = "RESULT "
# What `meridian` is for the tasks: it asks the tests' own process, which has imported everything, for a process of it.
PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    asked.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
    asked.shutdown(socket.SHUT_WR)
    code, out, err = json.loads(b"".join(iter(lambda: asked.recv(65536), b"")))
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
# One line with a DAG and its conf in, one line with its state and its tasks' out.
SERVE = f"""
import json, sys
from airflow.dag_processing.dagbag import BundleDagBag
bag = BundleDagBag(dag_folder={str(DAGS)!r}, bundle_path={str(DAGS)!r}, bundle_name="dags-folder")
assert not bag.import_errors, bag.import_errors
print({MARK!r} + json.dumps(sorted(bag.dags)), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    run = bag.dags[asked["dag"]].test(run_conf=asked["conf"])
    tasks = {{task.task_id: [str(task.state), task.try_number] for task in run.get_task_instances()}}
    print({MARK!r} + json.dumps({{"state": str(run.state), "tasks": tasks}}), flush=True)
"""


@dataclass(frozen=True)
class Ran:
    """One run of a DAG: its state, its tasks with their states and tries, and what was logged."""

    state: str
    tasks: Mapping[str, tuple[str, int]]
    log: str


class AirflowRunner:
    """Runs DAGs one after the other."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log
        self.dags = cast("list[str]", self._answer())

    def run(self, dag: str, **conf: Any) -> Ran:
        """Run a DAG to its end, whatever that is."""
        before = self._log.stat().st_size
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"dag": dag, "conf": conf}) + "\n")
        self._process.stdin.flush()
        found = self._answer()
        return Ran(found["state"], found["tasks"], self._log.read_text(errors="replace")[before:])

    def must(self, dag: str, **conf: Any) -> Ran:
        """Run a DAG that has to succeed."""
        ran = self.run(dag, **conf)
        assert ran.state == "success", f"{dag}: {ran.tasks}\n{ran.log[-5000:]}"
        return ran

    def _answer(self) -> Any:
        """The next result; everything else that is printed goes to the log."""
        assert self._process.stdout is not None
        with self._log.open("a") as log:
            for line in self._process.stdout:
                if line.startswith(MARK):
                    return json.loads(line.removeprefix(MARK))
                log.write(line)
        raise AssertionError(f"Airflow ended:\n{self._log.read_text()[-5000:]}")


class _Ask(socketserver.StreamRequestHandler):
    """Runs one command for one task."""

    def handle(self) -> None:
        arguments, environment, folder = json.loads(self.rfile.read())
        done = jobs.run(arguments, environment, Path(folder))
        self.wfile.write(json.dumps([done.returncode, done.stdout, done.stderr]).encode())


@contextmanager
def _serving_commands(address: Path) -> Iterator[None]:
    with socketserver.ThreadingUnixStreamServer(str(address), _Ask) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


@contextmanager
def running_airflow(stack: LocalStack, home: Path, regions: str) -> Iterator[AirflowRunner]:
    """An Airflow that serves these regions of a stack; `meridian` is on its path, as in an installation."""
    program, address = home / "bin" / "meridian", home / "commands"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    env = {
        **stack.environment,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "MERIDIAN_AIRFLOW_REGIONS": regions,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
    }
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=env, cwd=home, check=True, capture_output=True)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        env=env,
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = home / "dags.log"
    log.touch()
    try:
        with _serving_commands(address):
            yield AirflowRunner(process, log)
    finally:
        process.communicate(timeout=60)  # its input ends, and so does it


def typed(app: typer.Typer, arguments: Sequence[str]) -> bool:
    """Whether a command of the app has these words and options."""
    command: Any = typer.main.get_command(app)
    words = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if not word.startswith("{{")}
    return given <= known
