# ruff: noqa: N999 - gunicorn's own name for its configuration
"""How the web service is served: threads for waiting on the database, processes for the CPUs, no preloading.

The app is made in each worker, after fork: connection pools do not survive it. Its modules are imported before, once:
workers share them, and a lost worker is back at once. So new code needs a restart; HUP keeps the old. Bind, processes
and threads come from gunicorn's own command line (`--bind`, `--workers`, `--threads`).
"""

from importlib import import_module
from typing import Any

worker_class = "web.receiving.PacedWorker"  # gthread with a bound for slow senders
workers = 2
threads = 8
preload_app = False
timeout = 30  # seconds without a heartbeat; requests have shorter deadlines of their own (web/db/engine.py)
graceful_timeout = 15
keepalive = 30
max_requests = 0
backlog = 512
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 8190
accesslog = None  # URLs of payers' pages grant access: they are not logged
errorlog = "-"


def on_starting(server: Any) -> None:
    """Import what the workers will need. Importing makes no connection and no thread."""
    import_module(server.app.app_uri.partition(":")[0])
