"""The fields of an MT940 message, with their lines, and what mt-940 makes of them. Pure.

`mt-940` knows what fields mean: signs of reversals, the year of an entry date around New Year. Its own patterns take
the beginning of an amount for the whole and lose the line, so fields are cut here, line by line, and given to its
tags under patterns that must fit to the last letter.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from decimal import InvalidOperation
from typing import Any, ClassVar

from mt940 import Options, models, tags

from pipelines.recon.formats.fields import FieldError
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.source import Source

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):(.*)", re.DOTALL)
_BLOCK = re.compile(r"\{4:\s*")
_TRAILER = re.compile(r"-\}?.*|\{5:.*")
_FIELD_LINES_MAX = 200
_SHOWN_MAX = 80
_CONTEXT = models.Transactions(options=Options.all())
logging.getLogger("mt940").setLevel(logging.CRITICAL)  # what does not fit is a problem of ours, said once


class Line(tags.Statement):
    """Field 61, to its last letter."""

    pattern: ClassVar[str] = r"""^
    (?P<year>[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})
    (?:(?P<entry_month>[0-9]{2})(?P<entry_day>[0-9]{2})|[ ]{4})?
    (?P<status>R?[DC])
    (?P<funds_code>[A-Z])?
    [ ]?
    (?P<amount>[0-9][0-9.,]{0,17})
    (?P<id>[A-Z][A-Z0-9 ]{3})
    (?P<customer_reference>((?!//)[^\n])*)
    (//(?P<bank_reference>[^\n]*))?
    (\n(?P<extra_details>[\s\S]*))?
    $"""


class OneBalance(tags.BalanceBase):
    """Fields 60 and 62, to their last letter."""

    pattern: ClassVar[str] = r"""^
    (?P<status>[DC])(?P<year>[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})
    (?P<currency>[A-Z]{3})
    [ ]?
    (?P<amount>[0-9][0-9.,]{0,17})
    $"""


class Sum(tags.SumEntries):
    """Field 90, to its last letter."""

    status: ClassVar[str] = ""
    pattern: ClassVar[str] = r"^(?P<number>[0-9]{1,5})(?P<currency>[A-Z]{3})(?P<amount>[0-9][0-9.,]{0,17})$"


LINE, BALANCE, SUM = Line(), OneBalance(), Sum()


def parse(tag: tags.Tag, value: str) -> tuple[dict[str, str], dict[str, Any]]:
    """A field's parts as they stand, and what mt-940 makes of them. Raises FieldError."""
    text = value.strip()
    try:
        groups = tag.parse(_CONTEXT, text)
        made: dict[str, Any] = tag(_CONTEXT, dict(groups))
    except InvalidOperation:
        raise FieldError(f"is {text[:_SHOWN_MAX]!r}, which has not an amount such as 12,34") from None
    except RuntimeError:
        raise FieldError(f"is {text[:_SHOWN_MAX]!r}, which is not what it should be") from None
    except ValueError as error:
        raise FieldError(f"is {text[:_SHOWN_MAX]!r}: {error}") from error
    return {name: part or "" for name, part in groups.items()}, made


def fields(source: Source, findings: Findings) -> Iterator[tuple[int, str, str]]:
    """Each field with its tag and the line where it begins; its lines are joined by a line feed."""
    start, tag, lines = 0, "", list[str]()
    in_block = False
    with source.text() as text:
        for at, raw in enumerate(text, 1):
            line = raw.strip("\r\n").rstrip()
            if block := _BLOCK.search(line):
                in_block, line = True, line[block.end() :]
                findings.version = "in a SWIFT envelope"
            found = _TAG.match(line)
            if found or (line and _TRAILER.fullmatch(line)):
                if tag:
                    yield start, tag, "\n".join(lines)
                tag = ""
                if found:
                    start, tag, lines = at, found[1], [found[2]]
                elif line.startswith("-}"):
                    in_block = False
                    yield at, "end", ""
            elif tag and line and len(lines) < _FIELD_LINES_MAX:
                lines.append(line)
    if tag:
        yield start, tag, "\n".join(lines)
    if in_block:
        findings.refuse(start or None, "cut_off", "the envelope has no end: the file is cut off")
