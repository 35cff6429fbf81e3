from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from pipelines.demo.checks import Check

Job = Callable[..., str]  # runs `meridian …` as anybody would, and returns its output


class Place(Protocol):
    """The region that a block speaks of."""

    @property
    def code(self) -> str:
        """The region's code."""

    @property
    def reader_url(self) -> str:
        """Its database, read-only."""

    @property
    def region(self) -> Any:
        """The region itself."""


@dataclass(frozen=True)
class Block:
    """What one domain says of one region. Every region of a domain has the same checks, in the same order."""

    title: str
    lines: Sequence[str]
    checks: Sequence[Check]


MakeBlock = Callable[[Place, date, Job], Block]
