"""`meridian fraud …`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.bootstrap import environment
from pipelines.builds.commands import parse_date

if TYPE_CHECKING:
    from pipelines.fraud.parity import Parity

app = typer.Typer(
    help="Fraud features: what is declared, and whether checkout and history agree.", no_args_is_help=True
)
RegionOption = Annotated[str, typer.Option("--region", help="The region's code: eu, us, in, hk.")]
DateOption = Annotated[
    str | None, typer.Option("--date", help="Only decisions of this date in the region's time zone, YYYY-MM-DD.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_SHOWN_MAX = 100


@app.command()
def parity(
    region: RegionOption,
    day: DateOption = None,
    *,
    is_empty_fine: Annotated[
        bool, typer.Option("--allow-empty", help="A date without decisions is no mistake.")
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Compute every value that checkout was served again, from the lake; exit 1 if one differs, naming each."""
    from pipelines.fraud.parity import check_parity
    from regions.region import load_region

    chosen = parse_date(day) if day is not None else None
    found = check_parity(load_region(region), environment("lake"), chosen, is_empty_fine=is_empty_fine)
    if is_json:
        typer.echo(json.dumps(_document(found)))
    else:
        _print(found)
    if found.mismatches:
        raise typer.Exit(1)


@app.command()
def features(*, is_json: JsonOption = False) -> None:
    """List what is declared in regions/contracts/features.toml."""
    from regions.features import feature_set

    declared = feature_set()
    if is_json:
        names = ("name", "entity", "aggregate", "column", "events", "window_seconds", "match", "description")
        listed = [
            {name: getattr(feature, name) for name in names} | {"where": dict(feature.where)}
            for feature in declared.features
        ]
        typer.echo(json.dumps({"version": declared.version, "features": listed}, indent=2))
        return
    for feature in declared.features:
        of = f"({feature.column})" if feature.column else ""
        asked = f"{feature.aggregate.value}{of} of {', '.join(feature.events)}"
        typer.echo(f"{feature.name:<30} {feature.entity.value:<13} {feature.window_seconds:>8} s  {asked}")
        typer.echo(f"{'':<30} {feature.description}")
    typer.echo(f"{len(declared.features)} features, version {declared.version}")


def _print(found: "Parity") -> None:
    typer.echo(f"inputs       {found.inputs_text}")
    typer.echo(f"decisions    {found.decisions:,}")
    typer.echo(f"features     {found.features:,}")
    typer.echo(f"values       {found.values:,}")
    typer.echo(f"mismatches   {len(found.mismatches):,}")
    if found.erased_values:
        typer.echo(f"untellable   {found.erased_values:,} (somebody who counted was erased)")
    if found.other_versions:
        typer.echo(f"not compared {found.other_versions:,} decisions under other declarations")
    for mismatch in found.mismatches[:_SHOWN_MAX]:
        typer.echo(f"  {mismatch}")
    if len(found.mismatches) > _SHOWN_MAX:
        typer.echo(f"  and {len(found.mismatches) - _SHOWN_MAX} more: --json names them all")


def _document(found: "Parity") -> dict[str, object]:
    return {
        "inputs": found.inputs_text,
        "decisions": found.decisions,
        "features": found.features,
        "values": found.values,
        "mismatches": [
            {
                "payment_id": one.payment_id,
                "feature": one.feature,
                "served": one.served,
                "recomputed": one.recomputed,
            }
            for one in found.mismatches
        ],
        "erased_values": found.erased_values,
        "other_versions": found.other_versions,
    }
