"""XML, safely and in pieces: no document type, so no entities and nothing fetched; lines of every element are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.parsers import expat

from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import PIECE_BYTES, Source

DEPTH_MAX = 64
TEXT_MAX = 1 << 16
_CUT_OFF = frozenset({3, 5, 6, 20})  # no element found, unclosed token, partial character, unclosed CDATA


class _RefusedError(Exception):
    """XML that we do not read, with the line."""


class Node:
    """An element whose end was seen. Names are without namespace."""

    __slots__ = ("attributes", "children", "line", "name", "namespace", "text")

    def __init__(self, namespace: str, name: str, attributes: Mapping[str, str], line: int) -> None:
        self.namespace = namespace
        self.name = name
        self.attributes = attributes
        self.line = line
        self.text = ""
        self.children: list[Node] = []

    def all(self, path: str) -> Iterator[Node]:
        """The elements below, by path: `NtryDtls/TxDtls`."""
        first, _, rest = path.partition("/")
        for child in self.children:
            if child.name == first:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def first(self, path: str) -> Node | None:
        """The first of them."""
        return next(self.all(path), None)

    def value(self, *paths: str) -> str | None:
        """The text of the first element that has one."""
        for path in paths:
            for node in self.all(path):
                if node.text.strip():
                    return node.text.strip()
        return None


def elements(
    source: Source, findings: Findings, *, begin: frozenset[str], take: frozenset[str]
) -> Iterator[tuple[str, Node]]:
    """("begin", element) for the elements of `begin`, ("end", element) for those of `take`, which then are let go.

    A file that is not XML, is cut off, or that we refuse, ends early with a problem.
    """
    reader = _Reader(begin, take)
    with source.open() as opened:
        is_first = True
        while True:
            piece = opened.read(PIECE_BYTES)
            is_last = not piece
            if is_first:  # blank lines may stand before the declaration, which XML itself forbids
                rest = piece.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
                reader.lines_before = piece[: len(piece) - len(rest)].count(b"\n")
                piece, is_first = rest, False
            try:
                reader.parser.Parse(piece, is_last)
            except expat.ExpatError as error:
                yield from reader.drain()
                cut = error.code in _CUT_OFF
                said = "the file is cut off" if cut else f"not XML: {expat.ErrorString(error.code)}"
                findings.refuse(error.lineno + reader.lines_before, "cut_off" if cut else "not_xml", said)
                return
            except (_RefusedError, ValueError, LookupError) as error:  # the others: encodings that expat cannot have
                yield from reader.drain()
                findings.refuse(reader.line, "refused", f"the XML is refused: {error}")
                return
            yield from reader.drain()
            if is_last:
                return


class _Reader:
    def __init__(self, begin: frozenset[str], take: frozenset[str]) -> None:
        self.lines_before = 0
        self._begin = begin
        self._take = take
        self._stack: list[Node] = []
        self._found: list[tuple[str, Node]] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    @property
    def line(self) -> int:
        """Where the parser is."""
        return self.parser.CurrentLineNumber + self.lines_before

    def drain(self) -> list[tuple[str, Node]]:
        """What was found since it was asked last."""
        found, self._found = self._found, []
        return found

    def _doctype(self, *_: object) -> None:
        raise _RefusedError("it declares a document type, which can make entities of any size or fetch files")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._stack) >= DEPTH_MAX:
            raise _RefusedError(f"it is nested deeper than {DEPTH_MAX}")
        namespace, _, local = name.rpartition(" ")
        node = Node(namespace, local, attributes, self.line)
        self._stack.append(node)
        if local in self._begin:
            self._found.append(("begin", node))

    def _end(self, _: str) -> None:
        node = self._stack.pop()
        if node.name in self._take:
            self._found.append(("end", node))
        elif self._stack:
            self._stack[-1].children.append(node)

    def _text(self, text: str) -> None:
        if self._stack:
            node = self._stack[-1]
            if not node.text and text.isspace():  # between elements, however many there are
                return
            if len(node.text) + len(text) > TEXT_MAX:
                raise _RefusedError(f"an element holds more than {TEXT_MAX} letters")
            node.text += text
