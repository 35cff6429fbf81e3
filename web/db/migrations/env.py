"""Alembic's entry: runs as `owner`, on the connection that `web.db.provision` hands over, in one transaction."""

from alembic import context
from sqlalchemy import Connection

if context.is_offline_mode():
    raise SystemExit("Migrations run online only: use `python -m web.db.provision --region CODE`.")

connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise SystemExit("Migrations need a connection: use `python -m web.db.provision --region CODE`.")

context.configure(connection=connection, transactional_ddl=True, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
