import subprocess
import sys

import psycopg
import pytest
import typer

from pipelines import cli
from regions.errors import ConfigurationError, MeridianError


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, *arguments: str) -> int:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def job() -> None:
        if error is not None:
            raise error

    @app.command()
    def other() -> None:
        """A second command, so that the first has a name."""

    monkeypatch.setattr(cli, "make_app", lambda _: app)
    monkeypatch.setattr(sys, "argv", ["meridian", *(arguments or ("job",))])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (MeridianError("It is broken."), 1, "meridian: It is broken.\n"),
        (ConfigurationError("X is not set:\n  set it."), 2, "meridian: X is not set: set it.\n"),
        (
            psycopg.OperationalError("refused\nhint"),
            1,
            "meridian: The database cannot be reached or refuses: refused\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_are_one_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, sentence: str
) -> None:
    assert run(monkeypatch, error) == code
    assert capsys.readouterr().err == sentence


def test_usage_errors_are_usage_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, None, "nothing") == 2
    assert "No such command" in capsys.readouterr().err


def test_a_bug_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run(monkeypatch, ZeroDivisionError())


def test_help_lists_every_part(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["meridian", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    shown = capsys.readouterr().out
    for name in (word for names in cli.PARTS.values() for word in cli._words(names)):
        assert f" {name} " in shown


def commands(app: typer.Typer) -> set[str]:
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_a_command_imports_its_own_part_only() -> None:
    """Every word leads to its part, and the parts together are the whole command."""
    found = {word for names in cli.PARTS.values() for word in cli._words(names)}
    assert found == commands(cli.make_app())
    for word in found:
        assert word in commands(cli.make_app(word)), word
    assert commands(cli.make_app("lake")) == {"lake"}
    assert commands(cli.make_app("nothing")) == found
    assert commands(cli.make_app("--help")) == found
    code = "import sys, pipelines.cli as c; c.make_app('lake'); sys.exit('pipelines.retention.commands' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
