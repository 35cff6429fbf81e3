"""gunicorn's entry: `gunicorn -c web/gunicorn.conf.py web.console.wsgi:app`, the region's code in MERIDIAN_REGION."""

from flask import Flask

from web import serving
from web.console.app import create_app
from web.console.settings import Settings


def for_region(code: str) -> Flask:
    """The console of a region."""
    return serving.app_of("console", code, lambda region: create_app(region, Settings.from_environment(region)))


def __getattr__(name: str) -> Flask:
    """Make `app` when gunicorn asks for it, and not when somebody imports this module."""
    return for_region(serving.region_code(name))
