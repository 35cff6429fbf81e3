import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import main, make_app
from tests.support.bank_files import camt, camt_entry, camt_statement

GOOD = camt(camt_statement(camt_entry("20.00"), closing="120.00"))
BAD = camt(camt_statement(camt_entry("20.00"), closing="120.01"))


@pytest.mark.parametrize(("content", "code"), [(GOOD, 0), (BAD, 3)])
def test_the_exit_code_says_whether_a_file_foots(tmp_path: Path, content: bytes, code: int) -> None:
    path = tmp_path / "any name"
    path.write_bytes(content)
    for words in (["recon", "inspect", str(path), "--json"], ["recon", "inspect", str(path)]):
        done = CliRunner().invoke(make_app(), words)
        assert done.exit_code == code, done.output
        if "--json" in words:
            found = json.loads(done.stdout)
            assert (found["foots"], found["format"], len(found["problems"])) == (code == 0, "camt.053", code // 3)
        else:
            assert "120.0" in done.stdout
            assert ("does not foot: 10000 and entries of 2000 are 12000" in done.stdout) == (code == 3)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello", None])
def test_what_is_no_such_file_is_a_users_mistake(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    for target in (path, tmp_path):
        monkeypatch.setattr("sys.argv", ["meridian", "recon", "inspect", str(target), "--json"])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith("meridian: ")
        assert said.count("\n") == 1
