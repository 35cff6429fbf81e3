"""Files that finance takes from the console."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flask import request

from web.console.wiring import wired

PRINTED: Final = "html"
MEDIA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "csv": "text/csv; charset=utf-8",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "parquet": "application/vnd.apache.parquet",
        "json": "application/json",
        PRINTED: "text/html; charset=utf-8",
    }
)


def reader_locale() -> str:
    """Of the region's locales, the one that the reader likes best."""
    region = wired().region
    return request.accept_languages.best_match(region.locales) or region.default_locale
