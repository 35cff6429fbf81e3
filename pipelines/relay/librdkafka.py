"""The one call of librdkafka that its Python client does not pass on: many records at once, each with its partition.

The client's own `produce_batch` takes a dictionary for each record, and a call for each record costs more than the
record. This speaks to the very library that the client has loaded, by its public C interface (`rdkafka.h`), whose
layout of `rd_kafka_message_t` is part of its ABI; nothing of the client's own insides is touched.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Final

import confluent_kafka.cimpl
import numpy as np
import numpy.typing as npt

from regions.errors import ConfigurationError

MESSAGE: Final = np.dtype(
    [
        ("err", np.int32),
        ("_after_err", np.int32),
        ("topic", np.uintp),
        ("partition", np.int32),
        ("_after_partition", np.int32),
        ("payload", np.uintp),
        ("len", np.uintp),
        ("key", np.uintp),
        ("key_len", np.uintp),
        ("offset", np.int64),
        ("private", np.uintp),
    ]
)
Messages = npt.NDArray[np.void]

_PRODUCER: Final = 0
_DELIVERY_REPORTS: Final = 1
_COPY: Final = 2
_PARTITION_OF_EACH: Final = 8
_PURGE_ALL: Final = 3
_TEXT_BYTES: Final = 512

_pointer, _text, _int = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS: Final[Mapping[str, tuple[Any, list[Any]]]] = {
    "conf_new": (_pointer, []),
    "conf_set": (_int, [_pointer, _text, _text, _text, ctypes.c_size_t]),
    "conf_set_events": (None, [_pointer, _int]),
    "conf_set_log_cb": (None, [_pointer, _pointer]),
    "conf_destroy": (None, [_pointer]),
    "new": (_pointer, [_int, _pointer, _text, ctypes.c_size_t]),
    "topic_new": (_pointer, [_pointer, _text, _pointer]),
    "topic_destroy": (None, [_pointer]),
    "produce_batch": (_int, [_pointer, ctypes.c_int32, _int, _pointer, _int]),
    "outq_len": (_int, [_pointer]),
    "flush": (_int, [_pointer, _int]),
    "purge": (_int, [_pointer, _int]),
    "queue_get_main": (_pointer, [_pointer]),
    "queue_poll": (_pointer, [_pointer, _int]),
    "queue_destroy": (None, [_pointer]),
    "event_error": (_int, [_pointer]),
    "event_message_next": (_pointer, [_pointer]),
    "event_destroy": (None, [_pointer]),
    "fatal_error": (_int, [_pointer, _text, ctypes.c_size_t]),
    "err2str": (_text, [_int]),
    "destroy": (None, [_pointer]),
}


def _load() -> dict[str, Any]:
    """The functions by their names without `rd_kafka_`. Each call lets go of Python's lock."""
    library = ctypes.CDLL(confluent_kafka.cimpl.__file__)  # what this needs is looked through too
    found = {}
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, f"rd_kafka_{name}")
        function.restype, function.argtypes = result, arguments
        found[name] = function
    return found


_rd: Final = _load()


class RawProducer:
    """A producer of many records at once, not for several threads.

    What fails is told by `failures`; what has neither failed nor been acknowledged is counted by `len`.
    """

    def __init__(self, settings: Mapping[str, object]) -> None:
        reason = ctypes.create_string_buffer(_TEXT_BYTES)
        configuration = _rd["conf_new"]()
        for name, value in settings.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if _rd["conf_set"](configuration, name.encode(), text.encode(), reason, _TEXT_BYTES) != 0:
                _rd["conf_destroy"](configuration)
                raise ConfigurationError(f"librdkafka refuses a setting: {reason.value.decode()}")
        _rd["conf_set_events"](configuration, _DELIVERY_REPORTS)
        _rd["conf_set_log_cb"](configuration, None)
        self._handle = _rd["new"](_PRODUCER, configuration, reason, _TEXT_BYTES)
        if not self._handle:
            _rd["conf_destroy"](configuration)
            raise ConfigurationError(f"librdkafka does not start: {reason.value.decode()}")
        self._queue = _rd["queue_get_main"](self._handle)
        self._topics: dict[str, int] = {}

    def produce(self, topic: str, messages: Messages) -> None:
        """Queue copies of messages in order; the `err` of each says 0 if it was taken."""
        if topic not in self._topics:
            self._topics[topic] = _rd["topic_new"](self._handle, topic.encode(), None)
        flags = _COPY | _PARTITION_OF_EACH
        _rd["produce_batch"](self._topics[topic], 0, flags, messages.ctypes.data, len(messages))

    def failures(self, seconds: float = 0.0) -> list[str]:
        """What has failed since the last call; waits so long for the first. A fatal error is told every time."""
        found = []
        wait = int(seconds * 1000)
        while event := _rd["queue_poll"](self._queue, wait):
            if message := _rd["event_message_next"](event):
                found.append(error_text(ctypes.c_int32.from_address(message).value))
            _rd["event_destroy"](event)
            wait = 0
        reason = ctypes.create_string_buffer(_TEXT_BYTES)
        if _rd["fatal_error"](self._handle, reason, _TEXT_BYTES):
            found.append(reason.value.decode())
        return found

    def flush(self, seconds: float) -> None:
        """Send without lingering, for so long at most."""
        _rd["flush"](self._handle, int(seconds * 1000))

    def __len__(self) -> int:
        """How many records are neither acknowledged nor told to have failed."""
        return int(_rd["outq_len"](self._handle))

    def purge(self) -> None:
        """Give up what is queued and in flight: each record of it fails."""
        _rd["purge"](self._handle, _PURGE_ALL)

    def close(self) -> None:
        """Give up what is in flight, and end."""
        if self._handle is None:
            return
        self.purge()
        self.failures()
        for topic in self._topics.values():
            _rd["topic_destroy"](topic)
        _rd["queue_destroy"](self._queue)
        _rd["destroy"](self._handle)
        self._handle = None


def error_text(code: int) -> str:
    """What librdkafka calls an error."""
    return str(_rd["err2str"](code).decode())
