"""Ids of nothing."""


def other_than(known: str) -> str:
    """An id of the same form that is surely not this one."""
    return known[:-1] + ("1" if known.endswith("0") else "0")
