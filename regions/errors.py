"""The errors that every part shares. A message is one sentence for people; the class is for code."""

from typing import ClassVar


class MeridianError(Exception):
    """Something Meridian can name. The command prints the message, no traceback, and exits with `exit_code`."""

    exit_code: ClassVar[int] = 1


class ConfigurationError(MeridianError):
    """A variable, a file or a field that is missing or wrong; the message says which and what to do."""

    exit_code: ClassVar[int] = 2


class UsageError(MeridianError):
    """A person asked for something that cannot be: a date in the future, a process that does not exist."""

    exit_code: ClassVar[int] = 2


class UnavailableError(MeridianError):
    """A database, broker or gateway that did not answer."""


class EventContractError(MeridianError):
    """An event that breaks its contract. `pointer` is the JSON pointer of the offending field ("" for the whole)."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class VaultError(MeridianError):
    """The key vault cannot do what was asked: keys are missing, or a ciphertext does not open."""


class KeyDestroyedError(VaultError):
    """The data key is gone, so the plaintext is gone: that is what erasure means."""


class SubjectErasedError(KeyDestroyedError):
    """The data subject was erased whole; nothing may be sealed under it again."""
