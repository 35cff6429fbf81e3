"""The `meridian` command: mounts each part's commands, and turns errors into one sentence and an exit code."""

import importlib
import sys

import typer

from regions.errors import MeridianError

# Where each part's Typer app is, and the name under which it is mounted, or the commands that it has at the top.
PARTS: dict[str, str | tuple[str, ...]] = {
    "pipelines.stack.commands": ("up", "down", "status", "logs"),
    "pipelines.stack.region_commands": "region",
    "pipelines.demo.commands": ("demo",),
    "pipelines.sandbox.commands": "sandbox",
    "pipelines.topics.commands": "topics",
    "pipelines.outbox.commands": "outbox",
    "pipelines.relay.commands": "relay",
    "pipelines.ingest.commands": "ingest",
    "pipelines.lake.commands": "lake",
    "pipelines.builds.commands": "warehouse",
    "pipelines.recon.commands": "recon",
    "pipelines.fx.commands": "fx",
    "pipelines.fraud.commands": "fraud",
    "pipelines.expectations.commands": "expectations",
    "pipelines.retention.commands": "retention",
    "pipelines.residency.commands": "residency",
    "pipelines.audit.commands": "audit",
    "pipelines.retention.certificate_commands": "certificate",
    "pipelines.funnel.commands": ("funnel",),
    "pipelines.global_.commands": "global",
    "pipelines.sql_command": ("sql",),
    "pipelines.orchestration.commands": "airflow",
    "pipelines.keys.commands": "keys",
    "pipelines.webhooks.commands": "webhook",
    "pipelines.webhooks.engineer_commands": ("listen", "trigger"),
}
FAILURE = 1


def make_app(first: str = "") -> typer.Typer:
    """The whole command; or, for its first word, only the part that has it: importing all of them takes 0.3 s."""
    parts = {module: names for module, names in PARTS.items() if first in _words(names)} or PARTS
    app = typer.Typer(
        help="Meridian: payment links and checkout, with the data plane built in.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module, names in parts.items():
        app.add_typer(importlib.import_module(module).app, name=names if isinstance(names, str) else None)
    return app


def _words(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def main() -> None:
    """Run the command. Whatever can go wrong outside our code is one sentence; a traceback is a bug of ours."""
    try:
        make_app(sys.argv[1] if len(sys.argv) > 1 else "")()
    except MeridianError as error:
        _leave(str(error), error.exit_code)
    except Exception as error:
        sentence = _outside(error)
        if sentence is None:
            raise
        _leave(sentence, FAILURE)


def _leave(sentence: str, code: int) -> None:
    sys.stderr.write(f"meridian: {' '.join(sentence.split())}\n")
    sys.exit(code)


def _outside(error: Exception) -> str | None:
    """A sentence for an error of the world around us that no part has named; None if it is not one."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    for module, names, meaning in (
        ("psycopg", ("OperationalError",), "The database cannot be reached or refuses"),
        ("sqlalchemy.exc", ("OperationalError",), "The database cannot be reached or refuses"),
        ("confluent_kafka", ("KafkaException",), "The Kafka broker cannot be reached or refuses"),
        ("httpx", ("TransportError",), "An HTTP service cannot be reached"),
    ):
        loaded = sys.modules.get(module)  # an error of a library that was never imported cannot be here
        if loaded is not None and isinstance(error, tuple(getattr(loaded, name) for name in names)):
            return f"{meaning}: {first}"
    return None


if __name__ == "__main__":
    main()
