import configparser
import shlex
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import UnhosedConfigParser, expand

from pipelines.stack.errors import StackUsageError
from pipelines.stack.state import StateFolder
from pipelines.stack.supervisor import INHERITED, LISTENER, Program, render_config


def read_back(text: str, program: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment as supervisord itself would read them."""
    parser = UnhosedConfigParser()
    parser.read_string(text)
    section = f"program:{program}"
    command = expand(parser.get(section, "command"), {}, "command")
    environment = expand(parser.get(section, "environment"), {}, "environment")
    return shlex.split(command), dict_of_key_value_pairs(environment)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), min_size=0, max_size=40)


@given(value=TEXT, argument=TEXT)
def test_supervisord_reads_back_what_was_written_or_it_is_refused(
    tmp_path_factory: pytest.TempPathFactory, value: str, argument: str
) -> None:
    state = StateFolder(tmp_path_factory.getbasetemp() / "a %folder")
    program = Program("web-eu", ("/bin/prog", argument), state.path, {"SECRET": value, "OTHER": "x"})
    try:
        text = render_config(state, [program])
    except StackUsageError:
        assume(False)
    command, environment = read_back(text, "web-eu")
    assert command == ["/bin/prog", argument]
    assert environment["SECRET"] == value
    assert environment["OTHER"] == "x"


@pytest.mark.parametrize("value", ["a%20b", 'with "double"x', "with 'single'x", "a,b=c", "p;q#r", "", "=="])
def test_values_that_passwords_and_urls_may_have_are_kept(tmp_path: Path, value: str) -> None:
    state = StateFolder(tmp_path)
    _, environment = read_back(render_config(state, [Program("p", ("x",), tmp_path, {"V": value})]), "p")
    assert environment["V"] == value


@pytest.mark.parametrize("value", ["a ;b", "a #b", "a\nb", "both ' and \"x", "'quoted'"])
def test_values_that_the_file_cannot_hold_are_refused_and_not_shown(tmp_path: Path, value: str) -> None:
    with pytest.raises(StackUsageError) as caught:
        render_config(StateFolder(tmp_path), [Program("p", ("x",), tmp_path, {"V": value})])
    assert value not in str(caught.value)


def test_every_program_is_restarted_for_ever_and_watched(tmp_path: Path) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(render_config(StateFolder(tmp_path), [Program("p", ("x",), tmp_path)]))
    assert parser.get("program:p", "autorestart") == "true"
    assert parser.get(f"eventlistener:{LISTENER}", "events") == "PROCESS_STATE_STARTING,TICK_5"


@pytest.mark.parametrize(
    "name", ["DATABASE_URL_EU", "KEY_PEPPER_EU", "AWS_SECRET_ACCESS_KEY", "PATHS", "MERIDIAN_STATE"]
)
def test_secrets_of_the_caller_reach_no_process(name: str) -> None:
    assert INHERITED.fullmatch(name) is None
