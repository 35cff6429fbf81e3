"""A file as it came: bytes that are read once for hash and encoding, and then in pieces, however large it is."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TextIO

from regions.errors import UsageError

PIECE_BYTES = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Source:
    """A file to read. `name` is how messages call it."""

    def __init__(self, name: str, opener: Callable[[], BinaryIO]) -> None:
        self.name = name
        self._opener = opener

    @classmethod
    def of_bytes(cls, content: bytes, name: str) -> Source:
        """What somebody handed over."""
        return cls(name, lambda: io.BytesIO(content))

    @classmethod
    def of_path(cls, path: Path) -> Source:
        """A file. Raises UsageError if it cannot be read."""
        try:
            with path.open("rb") as opened:
                opened.read(1)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        return cls(str(path), lambda: path.open("rb"))

    def open(self) -> BinaryIO:
        """The bytes from the start."""
        return self._opener()

    @cached_property
    def head(self) -> bytes:
        """The first bytes, enough to tell one format from another."""
        with self.open() as opened:
            return opened.read(PIECE_BYTES)

    @cached_property
    def _facts(self) -> tuple[str, int, bool]:
        digest, size, is_utf8 = hashlib.sha256(), 0, True
        decoder = codecs.getincrementaldecoder("utf-8")()
        with self.open() as opened:
            while piece := opened.read(PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
                if is_utf8:
                    is_utf8 = _decodes(decoder, piece)
        return digest.hexdigest(), size, is_utf8 and _decodes(decoder, b"", final=True)

    @property
    def sha256(self) -> str:
        """What identifies the file."""
        return self._facts[0]

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        return self._facts[1]

    @cached_property
    def encoding(self) -> str:
        """By byte order mark; UTF-8 where that is what the bytes are; UTF-16 by its zeros; else one byte a letter."""
        for mark, name in _MARKS:
            if self.head.startswith(mark):
                return name
        if b"\0" in self.head[:64] and len(self.head) > 1:
            return "utf-16-le" if self.head[1] == 0 else "utf-16-be"
        return "utf-8" if self._facts[2] else "iso-8859-1"

    def text(self) -> TextIO:
        """The text from the start, line ends as they are. What is no text becomes U+FFFD."""
        return io.TextIOWrapper(self.open(), encoding=self.encoding, errors="replace", newline="")


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True
