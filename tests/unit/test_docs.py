"""The documentation is tested: every command is in it, every command in it runs, every list in it is complete."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipelines.cli import make_app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^\s*(?:\$ )?(meridian [^\n#]+)|`(meridian [^`\n]+)`", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
APP = make_app()


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Typer carries a click of its own, so groups are known by what they have."""
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, command


ROOT_COMMAND = typer.main.get_command(APP)
LEAVES = dict(leaves(ROOT_COMMAND))


def documented() -> list[tuple[str, str]]:
    return [
        (page.name, (match[1] or match[2]).strip())
        for page in PAGES
        for match in COMMAND.finditer(page.read_text())
        if "…" not in match[0] and "<" not in match[0]
    ]


def resolve(line: str) -> tuple[tuple[str, ...], Any, list[str]]:
    """The command that a documented line calls, and the words after its name."""
    words = shlex.split(line)[1:]
    command, path = ROOT_COMMAND, ()
    while hasattr(command, "commands"):
        assert words, f"`{line}` is no whole command"
        child = command.commands.get(words[0])
        assert child is not None, f"`{line}`: there is no {words[0]!r} in `meridian {' '.join(path)}`"
        command, path, words = child, (*path, words[0]), words[1:]
    return path, command, words


@pytest.mark.parametrize(("page", "line"), documented())
def test_every_documented_command_exists_with_its_options(page: str, line: str) -> None:
    _, command, words = resolve(line)
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-") and not word[1:2].isdigit():
            assert word.partition("=")[0] in {*options, "--help"}, f"{page}: `{line}`: {word}"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_is_documented(path: tuple[str, ...]) -> None:
    known = {resolve(line)[0] for page, line in documented() if page in {"cli.md", "README.md"}}
    assert path in known, f"`meridian {' '.join(path)}` is missing in docs/cli.md"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(APP, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output
    assert LEAVES[path].help, "a command needs a docstring"


def test_the_tree_of_commands_is_seen() -> None:
    assert {("up",), ("relay", "run"), ("sql",)} <= set(LEAVES)


def test_every_direct_dependency_has_its_reason() -> None:
    lines = [line for file in (ROOT / "requirements").glob("*.in") for line in file.read_text().splitlines()]
    wanted = {re.split(r"[\[<>=!~; ]", line)[0] for line in lines if line and not line.startswith(("-", "#"))}
    reasons = re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    given = {name for name, reason in reasons if name != "package" and len(reason) > len("---")}
    assert given == wanted


def test_the_index_lists_every_decision() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(file.name for file in folder.glob("[0-9]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_every_make_target_named_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)\b", (ROOT / "README.md").read_text()):
        assert target == "alone" or re.search(rf"^(?:[a-z ]+ )?{target}(?: [a-z ]+)?:", makefile, re.MULTILINE), target
