"""For gunicorn: `gunicorn --worker-class gthread --threads 16 web.sandbox.wsgi:app`."""

import sys

from flask import Flask

from regions import logs
from regions.errors import MeridianError
from web.sandbox.app import create_app

APP_LOAD_ERROR = 4  # gunicorn stops, instead of starting the worker again and again


def __getattr__(name: str) -> Flask:
    """Make `app` when gunicorn asks for it; a wrong environment is one sentence and a stopped gunicorn."""
    if name != "app":
        raise AttributeError(name)
    logs.configure("sandbox")
    try:
        return create_app()
    except MeridianError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(APP_LOAD_ERROR) from None
