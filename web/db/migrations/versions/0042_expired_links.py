"""Lists of expired links read what they show."""

from pathlib import Path

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

SCRIPT = Path(__file__).parent.parent / "sql" / "0042_expired_links.sql"


def upgrade() -> None:
    """Run the whole script; the driver sends it as one message, so PostgreSQL splits it, not we."""
    connection = op.get_bind().execution_options(no_parameters=True)  # a "%" in it is a "%"
    connection.exec_driver_sql(SCRIPT.read_text(encoding="utf-8"))
