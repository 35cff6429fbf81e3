"""gunicorn's entry: `gunicorn -c web/gunicorn.conf.py "web.wsgi:for_region('eu')"`.

In an image that serves any region, `web.wsgi:app` with the region's code in MERIDIAN_REGION.
"""

from flask import Flask

from web import serving
from web.app import create_app
from web.settings import Settings


def for_region(code: str) -> Flask:
    """The app of a region."""
    return serving.app_of("web", code, lambda region: create_app(region, Settings.from_environment(region)))


def __getattr__(name: str) -> Flask:
    """Make `app` when gunicorn asks for it, and not when somebody imports this module."""
    return for_region(serving.region_code(name))
