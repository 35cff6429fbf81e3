"""TCP ports on 127.0.0.1: which are free, and which one a part of the stack gets."""

import hashlib
import socket
from collections.abc import Collection
from pathlib import Path

from pipelines.stack.errors import StackError

# Below the range from which Linux takes ports for outgoing connections (32768 up), so that nothing slips in between
# choosing a port and listening on it. Each state folder starts looking in a slice of its own.
FIRST, LAST, SLICE = 20000, 32000, 40


def is_free(port: int) -> bool:
    """True if a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections that linger do not count
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_port(state: Path, taken: Collection[int]) -> int:
    """A free port that is not in `taken`, from the slice that belongs to the state folder, else after it."""
    slices = (LAST - FIRST) // SLICE
    digest = hashlib.sha256(str(state.resolve()).encode()).digest()
    start = int.from_bytes(digest[:4], "big") % slices * SLICE
    for offset in range(LAST - FIRST):
        port = FIRST + (start + offset) % (LAST - FIRST)
        if port not in taken and is_free(port):
            return port
    raise StackError(f"No free port between {FIRST} and {LAST} on 127.0.0.1.")
