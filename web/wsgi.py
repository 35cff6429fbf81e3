"""gunicorn's entry: `gunicorn -c web/gunicorn.conf.py "web.wsgi:for_region('eu')"`."""

import sys

from flask import Flask

from regions import logs
from regions.errors import MeridianError
from regions.region import load_region
from web.app import create_app
from web.settings import Settings

APP_LOAD_ERROR = 4  # gunicorn stops, instead of starting the worker again and again


def for_region(code: str) -> Flask:
    """The app of a region, configured by the environment; a wrong one is one sentence and a stopped gunicorn."""
    logs.configure("web", code)
    try:
        region = load_region(code)
        return create_app(region, Settings.from_environment(region))
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(APP_LOAD_ERROR) from None
