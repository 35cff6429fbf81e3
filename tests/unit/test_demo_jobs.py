import subprocess
import sys

QUERY = "SELECT current_setting('enable_progress_bar')"
ASK = f'import duckdb; print(duckdb.connect().execute("{QUERY}").fetchone()[0])'


def test_a_forked_job_draws_no_progress_bar_into_its_output() -> None:
    """The fork server runs no script either."""
    asked = [
        subprocess.run([sys.executable, "-c", f"{first}{ASK}"], capture_output=True, text=True, check=True).stdout
        for first in ("", "import pipelines.demo.forked; ")
    ]
    assert asked == ["True\n", "False\n"]
