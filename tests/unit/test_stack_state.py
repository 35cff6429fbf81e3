import io
import os
import stat
import threading
from pathlib import Path

import pytest

from pipelines.stack import logs
from pipelines.stack.errors import StackError, StackUsageError
from pipelines.stack.state import SOCKET_PATH_MAX, StateFolder, read_json, state_path, write_json


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_comes_from_the_environment_and_is_absolute() -> None:
    assert state_path({"MERIDIAN_STATE": "/x/y"}) == Path("/x/y")
    assert state_path({}) == Path.cwd() / ".meridian"


def test_a_long_folder_gets_a_short_private_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # noqa: S108 - where the short path is looked for
    state = StateFolder(tmp_path / ("long" * 40))
    assert len(str(state.socket)) <= SOCKET_PATH_MAX
    state.prepare()
    try:
        assert mode(state.socket.parent) == 0o700
        assert StateFolder(tmp_path / ("long" * 41)).socket != state.socket
    finally:
        state.socket.parent.rmdir()


def test_what_holds_secrets_is_private(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "s")
    state.prepare()
    write_json(state.stack_file, {"secret": 1})
    assert mode(state.stack_file) == 0o600
    assert mode(state.logs) == mode(state.run) == 0o700
    assert mode(state.path) & 0o066 == 0
    assert [path.name for path in state.path.iterdir() if path.name.startswith(".")] == []


def test_a_second_command_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with state.locked(), pytest.raises(StackError, match="Another meridian command"), state.locked():
        pass


def test_a_damaged_file_is_named_and_a_missing_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    assert read_json(path) is None
    for content in ("{", "[]"):
        path.write_text(content)
        with pytest.raises(StackUsageError, match=r"stack\.json"):
            read_json(path)


def test_logs_end_with_the_last_lines_and_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.prepare()
    state.log_file("web-eu").write_text("1\n2\n3\n")
    output = io.StringIO()
    logs.show(state, "web-eu", lines=2, follow=False, output=output)
    assert output.getvalue() == "2\n3\n"
    with pytest.raises(StackUsageError, match="web-eu"):
        logs.show(state, "web-us", lines=2, follow=False, output=output)


class Lines(io.StringIO):
    """Says when a text has arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def flush(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def arrived(self, text: str) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: text in self.getvalue(), timeout=10)


def test_following_a_log_survives_its_rotation(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.prepare()
    path = state.log_file("web-eu")
    path.write_text("old\n")
    output = Lines()
    following = threading.Thread(
        target=logs.show, args=(state, "web-eu"), kwargs={"lines": 1, "follow": True, "output": output}, daemon=True
    )
    following.start()
    assert output.arrived("old\n")
    os.rename(path, path.with_suffix(".log.1"))  # noqa: PTH104 - what supervisord does
    path.write_text("new file\n")
    assert output.arrived("new file\n")
