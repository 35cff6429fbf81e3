"""One stack for all end-to-end tests of a run: they carry the same xdist group, so one worker runs them all."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.local_stack import LocalStack, running_stack

HERE = Path(__file__).parent
_RUNNING = ExitStack()


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """Region `eu`, which may be traded in at will. Who counts everything in a region brings up another one."""
    with _RUNNING:
        yield _RUNNING.enter_context(running_stack("eu"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    """Stop the stack with the last test that may want it: its worker has other tests to run, and no use for it."""
    yield
    if nextitem is None or HERE not in nextitem.path.parents:
        _RUNNING.close()
