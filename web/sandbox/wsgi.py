"""For gunicorn: `gunicorn --worker-class gthread --threads 16 web.sandbox.wsgi:app`."""

from regions import logs
from web.sandbox.app import create_app

logs.configure("sandbox")
app = create_app()
