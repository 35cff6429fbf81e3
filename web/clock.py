from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current moment. Only edges (requests, worker loops) read it; what is behind them takes it as an argument."""
    return datetime.now(UTC)
