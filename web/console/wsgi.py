"""gunicorn's entry: `gunicorn -c web/gunicorn.conf.py web.console.wsgi:app`, the region's code in MERIDIAN_REGION."""

import os
import sys

from flask import Flask

from regions import logs
from regions.errors import MeridianError
from regions.region import load_region
from web.console.app import create_app
from web.console.settings import Settings

APP_LOAD_ERROR = 4  # gunicorn stops, instead of starting the worker again and again


def for_region(code: str) -> Flask:
    """The console of a region, configured by the environment; a wrong one is one sentence and a stopped gunicorn."""
    logs.configure("console", code)
    try:
        region = load_region(code)
        return create_app(region, Settings.from_environment(region))
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(APP_LOAD_ERROR) from None


def __getattr__(name: str) -> Flask:
    """Make `app` when gunicorn asks for it, and not when somebody imports this module."""
    if name != "app":
        raise AttributeError(name)
    code = os.environ.get("MERIDIAN_REGION")
    if not code:
        sys.stderr.write("MERIDIAN_REGION is not set: give the code of the region to serve, such as eu.\n")
        raise SystemExit(APP_LOAD_ERROR)
    return for_region(code)
