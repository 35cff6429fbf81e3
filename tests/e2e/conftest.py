"""One stack for all end-to-end tests of a run: they carry the same xdist group, so one worker runs them all."""

from collections.abc import Iterator

import pytest

from tests.support.local_stack import LocalStack, running_stack


@pytest.fixture(scope="package")
def stack() -> Iterator[LocalStack]:
    """Regions `eu` and `us`. Tests that count everything in a region use `us`; `eu` may be traded in at will."""
    with running_stack("eu,us") as running:
        yield running
