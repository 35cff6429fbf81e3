from sqlalchemy import text

from warehouse.breaks import RESOLUTIONS, Break, load_breaks
from web.console import deciding, session
from web.console.reading import Build, region_rows

PURPOSE = "finance"


def form_values() -> dict[str, str]:
    """What every form of ours carries: that it is ours, and a key by which sending it twice is sending it once."""
    return deciding.form_values(PURPOSE)


def breaks_of(build: Build) -> list[Break]:
    """The build's breaks, with what has been decided about them since."""
    with region_rows(session.signed_in()) as connection:
        decided = [tuple(row) for row in connection.execute(text(RESOLUTIONS))]
    return load_breaks(build.connection, build.business_date, decided)
