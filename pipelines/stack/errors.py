from regions.errors import ConfigurationError, MeridianError


class StackError(MeridianError):
    """The local stack could not do what was asked; the message is one sentence for people."""


class StackUsageError(ConfigurationError):
    """What was asked of the local stack cannot be: a busy port, an unknown process name."""
