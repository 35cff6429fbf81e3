"""Logging: the standard library, one JSON object a line on stderr, and nothing secret in it.

Redaction is the last line, not the first: code does not log keys, card numbers or people's data. What slips through
(an exception's text, a library's debug line) is masked here by its shape.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

_MASK: Final = "[redacted]"

# Repetitions are bounded, so that a long line costs its length and not its square.
_SHAPES: Final = (
    (re.compile(r"\b([mpr]k)_(live|test)_([a-z][a-z0-9]{1,7})_[0-9A-Za-z]+"), rf"\1_\2_\3_{_MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {_MASK}"),
    (re.compile(r"(\w[\w+.-]{0,20}://[^\s:/@]{0,99}):[^\s@/]+@"), rf"\1:{_MASK}@"),
    (re.compile(r"(/[lc]/)[0-9A-Za-z]{22}(?![0-9A-Za-z])"), rf"\1{_MASK}"),
    (
        re.compile(
            r"(?i)([\"']?\b(?:password|passwd|secret|secret_key|api_key|service_key|pepper|payment_token|authorization"
            r"|csrf|cvc|cvv)\b[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"',;&}]+"
        ),
        rf"\1{_MASK}",
    ),
    (re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"), _MASK),
)
# An object's id or a UUID: left alone whole, and never a part of something longer, whatever digits stand beside it.
_READABLE: Final = re.compile(
    r"(\b[a-z]{2,12}_[a-z][a-z0-9]{1,7}_[0-9a-hjkmnp-tv-z]{26}\b"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
)
# 13 to 19 digits that may be grouped by spaces or dashes.
_CARD_NUMBER: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


def redact(text: str) -> str:
    """The text with everything masked that looks like a key, a card number, a password or an e-mail address."""
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    parts = _READABLE.split(text)
    parts[::2] = [_CARD_NUMBER.sub(_mask_card_number, part) for part in parts[::2]]
    return "".join(parts)


def _mask_card_number(match: re.Match[str]) -> str:
    return _MASK if passes_luhn([int(char) for char in match[0] if char.isdigit()]) else match[0]


def passes_luhn(digits: list[int]) -> bool:
    """Whether the digits carry a valid check digit, as every card number does."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004 - the digit sum of a two-digit number
    return total % 10 == 0


# What every LogRecord carries anyway; whatever else is on it came in through `extra` and is logged as a field.
_STANDARD: Final = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}


class JsonFormatter(logging.Formatter):
    """One record, one line: time, level, process, region, logger, message, exception, and the `extra` fields."""

    def __init__(self, process: str, region: str | None) -> None:
        super().__init__()
        self._fixed = {"process": process} | ({"region": region} if region else {})

    def format(self, record: logging.LogRecord) -> str:
        """Serialise and redact."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            **self._fixed,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD and name not in line:
                line[name] = value if isinstance(value, int | float | None) else redact(str(value))
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redact(self.formatStack(record.stack_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(process: str, region: str | None = None, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all logging of this process to stderr as JSON lines. Replaces earlier handlers: safe to call twice."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(process, region))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
