"""The process supervisor (PyPI `supervisor`): its configuration file, and talking to it over its Unix socket."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psutil
from supervisor.xmlrpc import SupervisorTransport

from pipelines.stack.errors import StackError, StackUsageError
from pipelines.stack.state import StateFolder

LISTENER = "watch"  # our event listener: counts restarts and revives what supervisord gave up on
STOP_WAIT_S = 15
POLL_S = 0.1
MARK = "MERIDIAN_STACK"  # which stack a process belongs to; jobs look at MERIDIAN_STATE, supervised processes must not
STOPPING = {"RUNNING", "STARTING", "BACKOFF", "STOPPING"}
# SPT_NOENV: gunicorn may change its title, which would overwrite the memory in which others look for its MARK.
COMMON = {"PYTHONUNBUFFERED": "1", "SPT_NOENV": "1"}
# What processes inherit from whoever called `meridian up`: nothing that may be a secret of another process.
INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|PYTHONPATH|LD_LIBRARY_PATH|JAVA_HOME"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|MERIDIAN_FAULT|MERIDIAN_FAULT_ONCE|MERIDIAN_LOG_\w+"
)


@dataclass(frozen=True)
class Program:
    """One supervised process. `environment` is all it gets besides `INHERITED`: its own role's credentials only."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = None
    stop_signal: str = "TERM"
    stop_group: bool = True  # False: only the first process is asked to stop; it looks after its children
    stop_wait_s: int = STOP_WAIT_S


@dataclass(frozen=True)
class ProcessInfo:
    """What supervisord says about a process now. `uptime_s` is 0 unless it runs."""

    name: str
    state: str  # RUNNING, STARTING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL
    pid: int | None
    uptime_s: int
    message: str


def render_config(state: StateFolder, programs: Iterable[Program]) -> str:
    """The supervisord.conf that runs `programs`. It holds their environments: keep it readable by its owner only."""
    sections = [
        "[unix_http_server]",
        f"file={_escape(state.socket)}",
        "chmod=0700",
        "",
        "[supervisord]",
        f"logfile={_escape(state.logs / 'supervisord.log')}",
        "logfile_maxbytes=5MB",
        "logfile_backups=2",
        f"pidfile={_escape(state.pid_file)}",
        f"directory={_escape(state.path)}",
        f"childlogdir={_escape(state.logs)}",
        "identifier=meridian",
        "nocleanup=true",
        "umask=077",
        *(["user=root"] if os.geteuid() == 0 else []),
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "",
        f"[eventlistener:{LISTENER}]",
        f"command={_command((sys.executable, '-m', 'pipelines.stack.watch', str(state.restarts_file)))}",
        "events=PROCESS_STATE_STARTING,TICK_5",
        "buffer_size=1000",
        f"environment={MARK}={_value(str(state.path))}",
        "stdout_logfile=NONE",
        f"stderr_logfile={_escape(state.log_file(LISTENER))}",
        "stderr_logfile_maxbytes=1MB",
        "stderr_logfile_backups=1",
    ]
    for program in programs:
        sections += ["", *_program_section(state, program)]
    return "\n".join(sections) + "\n"


def _program_section(state: StateFolder, program: Program) -> list[str]:
    environment = {**program.environment, **COMMON, MARK: str(state.path)}
    return [
        f"[program:{program.name}]",
        f"command={_command(program.command)}",
        f"directory={_escape(program.directory)}",
        f"environment={','.join(f'{name}={_value(environment[name])}' for name in sorted(environment))}",
        *([f"user={program.user}"] if program.user else []),
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=3",  # with growing pauses; then FATAL, from where `watch` revives it every few seconds, for ever
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_wait_s}",
        f"stopasgroup={str(program.stop_group).lower()}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_escape(state.log_file(program.name))}",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=3",
    ]


def _escape(value: object) -> str:
    """`value` as supervisord reads it back: it expands % and takes ` ;` and ` #` for comments."""
    text = str(value)
    if "\n" in text or "\r" in text or re.search(r"\s[;#]", text):
        raise StackUsageError(
            "A path or value for the local stack contains a line break, ' ;' or ' #', which its supervisor cannot hold."
        )
    return text.replace("%", "%%")


def _command(arguments: Iterable[str]) -> str:
    return _escape(shlex.join(arguments))


def _value(text: str) -> str:
    """A quoted value in `environment=`; supervisord knows two kinds of quotes and no escapes."""
    quote = "'" if '"' in text else '"'
    if quote in text or text[:1] in {"'", '"'} or text[-1:] in {"'", '"'}:
        raise StackUsageError("A value for the local stack contains quotes that its supervisor cannot hold.")
    return f"{quote}{_escape(text)}{quote}"


class Supervisor:
    """The supervisord of one state folder."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._state.socket}")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise StackError(f"The process supervisor refused {method}{arguments}: {fault.faultString}.") from fault
        except (OSError, xmlrpc.client.Error) as error:
            raise StackError("The process supervisor does not answer; `meridian down` cleans up.") from error
        finally:
            transport.close()

    def is_running(self) -> bool:
        """True if supervisord answers."""
        if not self._state.socket.exists():
            return False
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except StackError:
            return False

    def launch(self) -> None:
        """Start supervisord, detached from the terminal, with none of its programs running. It must not run yet."""
        for stale in (self._state.restarts_file, self._state.socket, self._state.pid_file):
            stale.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(self._state.config_file)],
            check=False,
            cwd=self._state.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            last = ((done.stderr + done.stdout).strip().splitlines() or ["no message"])[-1]
            raise StackError(f"The process supervisor did not start: {last}")

    def reload(self) -> None:
        """Take over the configuration file as it is now: new programs are added, changed ones stopped and replaced."""
        added, changed, removed = self._call("reloadConfig")[0]
        for name in (*changed, *removed):
            self._call("stopProcessGroup", name, True)
            self._call("removeProcessGroup", name)
        for name in (*changed, *added):
            self._call("addProcessGroup", name)

    def processes(self) -> dict[str, ProcessInfo]:
        """Every process by name, without our own listener."""
        found = {}
        for row in self._rows():
            name, state = str(row["name"]), str(row["statename"])
            uptime_s = max(0, int(row["now"]) - int(row["start"])) if state == "RUNNING" else 0
            pid = int(row["pid"]) or None
            found[name] = ProcessInfo(name, state, pid, uptime_s, str(row["spawnerr"] or row["description"]))
        return {name: info for name, info in found.items() if name != LISTENER}

    def _rows(self) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))

    def start(self, name: str) -> None:
        """Begin to start a process; does not wait until it runs."""
        self._call("startProcess", name, False)

    def stop_all(self, names: Collection[str]) -> None:
        """Stop processes, all at the same time, and wait until each has ended. Those that do not run are left alone."""
        for name in names:
            try:
                self._call("stopProcess", name, False)
            except StackError as error:
                if "NOT_RUNNING" not in str(error):
                    raise
        while any(row["name"] in names and row["statename"] in STOPPING for row in self._rows()):
            time.sleep(POLL_S)

    def shutdown(self) -> None:
        """Stop every process, then supervisord; wait until it is gone."""
        supervisord = psutil.Process(int(self._call("getPID")))
        names = [*self.processes(), LISTENER]
        self.stop_all(names)
        for name in names:  # left to itself, supervisord takes a second for each group, stopped or not
            self._call("removeProcessGroup", name)
        self._call("shutdown")
        try:
            supervisord.wait(timeout=STOP_WAIT_S * 3)
        except psutil.TimeoutExpired as error:
            raise StackError("The process supervisor is still stopping its processes.") from error


def orphans(state: StateFolder) -> list[psutil.Process]:
    """Processes of this state folder's stack whose supervisord is gone (killed), so that nobody looks after them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            if environment.get("SUPERVISOR_ENABLED") and environment.get(MARK) == str(state.path):
                found.append(process)
    return found


def end_orphans(state: StateFolder) -> int:
    """End what a killed supervisord left behind; SIGINT (a clean, fast stop for all of them), then SIGKILL."""
    left = orphans(state)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    _, alive = psutil.wait_procs(left, timeout=STOP_WAIT_S)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=STOP_WAIT_S)
    return len(left)
