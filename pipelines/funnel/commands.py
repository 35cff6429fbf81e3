"""`meridian funnel`: the checkout funnel in the terminal."""

import csv
import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import parse_date
from pipelines.funnel.domain import BAR_WIDTH, Group, draw, in_order
from pipelines.funnel.repository import Dimension, read_groups
from pipelines.sql_command import Format
from regions.errors import UsageError
from regions.funnels import CHECKOUT, Funnel, load_funnels

app = typer.Typer()


@app.command("funnel")
def funnel(
    region: Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")],
    by: Annotated[Dimension | None, typer.Option("--by", help="Split the sessions by this.")] = None,
    day: Annotated[
        str | None, typer.Option("--date", help="Only sessions opened on this business date, YYYY-MM-DD.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="table (bars), csv or json.")] = Format.TABLE,
    *,
    is_empty_fine: Annotated[
        bool, typer.Option("--allow-empty", help="A date without sessions is no mistake.")
    ] = False,
) -> None:
    """Show how far checkout sessions got, step by step, from the published warehouse."""
    from regions.region import load_region
    from warehouse.builds import Warehouse
    from warehouse.query import open_published

    definition = load_funnels()[CHECKOUT]
    wanted = parse_date(day) if day else None
    with open_published(Warehouse.open(load_region(region), environment("lake"))) as connection:
        groups = in_order(read_groups(connection, [step.name for step in definition.steps], by, wanted))
    if wanted and not groups and not is_empty_fine:
        raise UsageError(f"--date {wanted}: the published warehouse of {region} has no session that was opened on it")
    if output is Format.TABLE:
        _print_bars(definition, region, groups)
    else:
        {Format.CSV: _print_csv, Format.JSON: _print_json}[output](definition, by, groups)


def _print_bars(definition: Funnel, region: str, groups: Sequence[Group]) -> None:
    steps = [step.name for step in definition.steps]
    names = max(map(len, steps))
    widest = max((group.counts[0] for group in groups), default=0)
    for group in groups:
        mode = "live" if group.livemode else "test"
        sys.stdout.write(
            f"{region} · {mode} · {group.value}: {group.conversion:.1%} of {group.counts[0]:,} converted\n"
        )
        for line in draw(group, steps, widest):
            sys.stdout.write(
                f"  {line.step:<{names}}  {line.bar:<{BAR_WIDTH}}  {line.count:>9,}  {line.of_first:>6.1%}"
                f"  {line.of_previous:>6.1%} of the step before\n"
            )
        sys.stdout.write("\n")
    sys.stdout.write(f"within {definition.window_hours} hours of {steps[0]}; {len(groups)} groups\n")


def _rows(definition: Funnel, by: Dimension | None, groups: Sequence[Group]) -> list[dict[str, object]]:
    return [
        {"livemode": group.livemode}
        | ({by.value: group.value} if by else {})
        | {f"{step.name}_sessions": count for step, count in zip(definition.steps, group.counts, strict=True)}
        | {"conversion_ratio": round(group.conversion, 6)}
        for group in groups
    ]


def _print_csv(definition: Funnel, by: Dimension | None, groups: Sequence[Group]) -> None:
    names = list(_rows(definition, by, [Group("", livemode=False, counts=(0,) * len(definition.steps))])[0])
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    for row in _rows(definition, by, groups):
        writer.writerow({name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()})


def _print_json(definition: Funnel, by: Dimension | None, groups: Sequence[Group]) -> None:
    sys.stdout.write(json.dumps(_rows(definition, by, groups), ensure_ascii=False, indent=1) + "\n")
