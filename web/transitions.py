"""Where a thing may go from where it stands: one table a noun, in its domain module. Pure.

News that comes late or twice is no mistake: it moves nothing. What the table does not hold is a mistake of ours, and
whoever writes a state goes through `Machine.move`, which refuses it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from regions.errors import MeridianError

S = TypeVar("S", bound=StrEnum)


class IllegalTransitionError(MeridianError):
    """A state was to be written that cannot follow the one that stands."""

    def __init__(self, noun: str, was: StrEnum, to: StrEnum) -> None:
        super().__init__(f"A {noun} that is {was.value} cannot become {to.value}.")
        self.noun, self.was, self.to = noun, was, to


@dataclass(frozen=True)
class Machine(Generic[S]):
    """A noun's states, each with those that may follow it. Staying is always allowed."""

    noun: str
    moves: Mapping[S, frozenset[S]]

    def allows(self, was: S, to: S) -> bool:
        """Whether `to` may follow `was`."""
        return to is was or to in self.moves[was]

    def move(self, was: S, to: S) -> S:
        """The new state; IllegalTransitionError if it may not follow."""
        if not self.allows(was, to):
            raise IllegalTransitionError(self.noun, was, to)
        return to
