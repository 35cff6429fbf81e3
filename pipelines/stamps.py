"""The stamp at the end of a record's value: its position, and that of the record before it in its partition.

It is the last of the envelope's attributes, always there and always as long, so that it is written and read for many
records at once by its place, without a call for each record. Numbers have leading zeros; an `after` of zeros is none.
Pure, apart from NumPy.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines.positions import Position

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

WIDTHS: Final = (6, 12, 12)  # digits of epoch, batch and ordinal
POSITION_BYTES: Final = sum(WIDTHS) + 2
STAMP: Final = ',"position":"{}","after":"{}"}}'
_ZEROS: Final = ":".join("0" * width for width in WIDTHS)
STAMP_BYTES: Final = len(STAMP.format(_ZEROS, _ZEROS))
_PLACES: Final = (STAMP.index("{"), STAMP.index("{", STAMP.index("{") + 1) + POSITION_BYTES - 2)
_QUADS: Final = np.frombuffer(b"".join(b"%04d" % number for number in range(10_000)), np.uint32)
_QUAD: Final = 10_000
_ORDINAL_AT: Final = POSITION_BYTES - WIDTHS[2]


class StampError(ValueError):
    """A position that has no room in a stamp."""


def padded(position: Position) -> str:
    """A position as a stamp has it. Raises StampError."""
    numbers = (position.epoch, position.batch, position.ordinal)
    if any(number >= 10**width for number, width in zip(numbers, WIDTHS, strict=True)):
        raise StampError(f"position {position} has no room in a record's stamp")
    return ":".join(f"{number:0{width}d}" for number, width in zip(numbers, WIDTHS, strict=True))


def blank(epoch: int, batch: int) -> str:
    """The stamp of a batch's records before they have their ordinals."""
    start = padded(Position(epoch, batch, 0))
    return STAMP.format(start, start)


def write_ordinals(buffer: Bytes, ends: Numbers, ordinals: Numbers, afters: Numbers) -> None:
    """Put ordinals into the blank stamps of values that end there."""
    columns = np.arange(WIDTHS[2])
    for place, numbers in zip(_PLACES, (ordinals, afters), strict=True):
        buffer[(ends - (STAMP_BYTES - place - _ORDINAL_AT))[:, None] + columns] = _digits(numbers)


def write_after(buffer: Bytes, end: int, after: Position) -> None:
    """Put an `after` of another batch into one stamp."""
    start = end - STAMP_BYTES + _PLACES[1]
    buffer[start : start + POSITION_BYTES] = np.frombuffer(padded(after).encode(), np.uint8)


def _digits(numbers: Numbers) -> Bytes:
    if len(numbers) and int(numbers.max()) >= 10 ** WIDTHS[2]:
        raise StampError(f"ordinal {numbers.max()} has no room in a record's stamp")
    digits = np.empty((len(numbers), 3), np.uint32)
    digits[:, 2] = _QUADS[numbers % _QUAD]
    digits[:, 1] = _QUADS[numbers // _QUAD % _QUAD]
    digits[:, 0] = _QUADS[numbers // _QUAD**2]
    return digits.view(np.uint8)


# What stands in a stamp: its own letters where they must be, and digits, each with the weight that it has.
_LETTERS: Final = np.frombuffer(STAMP.format(_ZEROS, _ZEROS).encode(), np.uint8)
_IS_DIGIT: Final = np.equal(_LETTERS, ord("0"))
_FIXED: Final = np.flatnonzero(~_IS_DIGIT)
_GROUPS: Final = [
    place + np.arange(width) + sum(WIDTHS[:index]) + index for place in _PLACES for index, width in enumerate(WIDTHS)
]


def read_stamps(buffer: Bytes, ends: Numbers, sizes: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Position and `after` of each value that ends there, as six numbers; and which values have a stamp at all."""
    numbers = np.zeros((len(ends), 6), np.int64)
    is_stamped = sizes > STAMP_BYTES
    rows = np.flatnonzero(is_stamped)
    if not len(rows):
        return numbers, is_stamped
    found = buffer[(ends[rows] - STAMP_BYTES)[:, None] + np.arange(STAMP_BYTES)]
    digits = found - ord("0")
    is_whole = (found[:, _FIXED] == _LETTERS[_FIXED]).all(axis=1) & (digits[:, _IS_DIGIT] <= 9).all(axis=1)  # noqa: PLR2004
    for column, places in enumerate(_GROUPS):
        numbers[rows, column] = digits[:, places].astype(np.float64) @ 10.0 ** np.arange(len(places) - 1, -1, -1)
    is_stamped[rows] = is_whole
    return numbers, is_stamped
