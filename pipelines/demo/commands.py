"""`meridian demo`."""

from typing import Annotated

import typer

from pipelines.stack.commands import StateOption, require_local_packages, state_folder

app = typer.Typer()
SEED = 2026
LINKS = 80
THREADS = 8


@app.command()
def demo(
    regions: Annotated[str, typer.Option(help="Regions, separated by commas; those that are up if empty.")] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same traders.")] = SEED,
    links: Annotated[int, typer.Option(min=1, help="Links per region; every run makes at least ten.")] = LINKS,
    threads: Annotated[int, typer.Option(min=1, max=64, help="How many traders act at once.")] = THREADS,
    state: StateOption = None,
) -> None:
    """Let simulated merchants and payers trade, and check that every number agrees; starts what does not run yet.

    Exits 0 only if they all do. Run it again as often as you like.
    """
    require_local_packages()
    import time

    from pipelines.demo.report import ProgressBars, page, page_console
    from pipelines.demo.run import ensure_up, run

    began = time.monotonic()
    codes = [code for part in regions.split(",") if (code := part.strip().lower())]
    ensure_up(state_folder(state), codes)
    with ProgressBars() as progress:
        outcomes = run(codes, seed=seed, links=links, threads=threads, observer=progress)
    page_console().print(page(outcomes, time.monotonic() - began))
    if not all(check.holds for outcome in outcomes for check in outcome.checks):
        raise typer.Exit(1)
