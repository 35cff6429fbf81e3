import json

import pytest

from pipelines.demo.run import PLANTS
from tests.support.local_stack import LocalStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def demo(stack: LocalStack, seed: int) -> str:
    done = stack.meridian("demo", "--regions", "us", "--links", "12", "--seed", str(seed))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_number_agrees_and_again_on_top(stack: LocalStack) -> None:
    page = demo(stack, 1)
    assert "Every number agrees" in page
    found = {planted: page.count(f"us   {planted} ") for planted in PLANTS}
    assert all(found.values())
    assert stack.region("us")["api_url"] + "/l/" in page

    again = demo(stack, 2)
    assert "Every number agrees" in again
    # The earlier breaks are still there, and still explained.
    assert {planted: again.count(f"us   {planted} ") for planted in PLANTS} == {
        name: n + 1 for name, n in found.items()
    }

    summary = json.loads(stack.must("sql", "--region", "us", "select * from rpt_recon_summary", "--format", "json"))
    assert {row["currency"] for row in summary} == {"USD"}
    assert sum(row["break_count"] for row in summary) == sum(found.values()) + len(PLANTS)
    assert sum(row["matched_lines"] for row in summary) > 20


def test_a_region_that_does_not_exist_is_one_sentence(stack: LocalStack) -> None:
    done = stack.meridian("demo", "--regions", "atlantis")
    assert done.returncode == 2
    assert "atlantis" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
