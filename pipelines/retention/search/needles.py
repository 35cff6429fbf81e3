"""What is looked for, and how a hit is told without repeating it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

_APART = b"\0"  # in no value that is searched for, so that none is found across two contents


class Needles:
    """Values to look for, as bytes. Hits are places, never the values themselves."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = tuple(dict.fromkeys(value for value in values if value))

    def __len__(self) -> int:
        return len(self._values)

    def are_in(self, content: str | bytes | None) -> bool:
        """Whether any value occurs."""
        if content is None:
            return False
        raw = content if isinstance(content, bytes) else content.encode()
        return any(value in raw for value in self._values)

    def are_among(self, contents: Sequence[str | bytes]) -> bool:
        """Whether any value occurs within one of the contents: they are searched as one text, which is much faster."""
        return self.are_in(_APART.join(one if isinstance(one, bytes) else one.encode() for one in contents))

    def are_in_column(self, column: pa.Array) -> bool:
        """Whether any value occurs within one of a column's, as text (bytes as they are).

        Arrow holds a column's texts one behind the other: that is searched as it lies, and only what is found there,
        perhaps across two texts, is looked for in each.
        """
        texts = _texts(column)
        lying = texts.buffers()[-1]
        return lying is not None and self.are_in(lying.to_pybytes()) and self.are_among(texts.to_pylist())


@dataclass(slots=True)
class Searched:
    """What a search went through, and where it found something. `remains`: where it may, until when."""

    store: str
    looked_at: dict[str, int] = field(default_factory=dict)
    hits: list[str] = field(default_factory=list)
    remains: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Note that so many things were looked at."""
        self.looked_at[what] = self.looked_at.get(what, 0) + number

    def hit(self, place: str) -> None:
        """Note a place, once."""
        if place not in self.hits:
            self.hits.append(place)


def _texts(column: pa.Array) -> pa.LargeBinaryArray:
    if pa.types.is_nested(column.type):
        return pa.array([str(value).encode() for value in column.drop_null().to_pylist()], pa.large_binary())
    if not pa.types.is_binary(column.type):
        column = column.cast(pa.large_string())
    return column.cast(pa.large_binary()).drop_null()


def canary_in(values: Iterable[str | None]) -> str | None:
    """A live value that is long enough to be told from chance."""
    return next((value for value in values if value and len(value) >= 12), None)  # noqa: PLR2004
