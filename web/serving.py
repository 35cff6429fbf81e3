"""What gunicorn's entries share: an app is made when gunicorn asks for it, and what is wrong is one sentence."""

import os
import sys
from collections.abc import Callable

from flask import Flask

from regions import logs
from regions.errors import MeridianError
from regions.region import Region, load_region

APP_LOAD_ERROR = 4  # gunicorn stops, instead of starting the worker again and again


def app_of(process: str, code: str, make: Callable[[Region], Flask]) -> Flask:
    """The app of a region, configured by the environment; a wrong one is one sentence and a stopped gunicorn."""
    logs.configure(process, code)
    try:
        return make(load_region(code))
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(APP_LOAD_ERROR) from None


def region_code(name: str) -> str:
    """MERIDIAN_REGION, asked for as the attribute `app` of an entry; any other attribute is none."""
    if name != "app":
        raise AttributeError(name)
    code = os.environ.get("MERIDIAN_REGION")
    if not code:
        sys.stderr.write("MERIDIAN_REGION is not set: give the code of the region to serve, such as eu.\n")
        raise SystemExit(APP_LOAD_ERROR)
    return code
