"""Reads the contracts with gateways: the seeds `fee_contracts` and `fee_terms`, from their files or from a build."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelines.recon.fees import ANY, Contract, FeeBook, FeeContractError, Terms
from warehouse.dbt_runner import PROJECT

if TYPE_CHECKING:
    import duckdb

CONTRACTS: Final = (
    "contract", "gateway", "gateway_account", "payment_method", "payment_method_variant", "region", "currency",
    "valid_from", "valid_until",
)  # fmt: skip
TERMS: Final = (
    "contract", "kind", "component", "currency", "percent_millionths", "fixed_minor", "minimum_minor", "maximum_minor"
)  # fmt: skip
_Row = Mapping[str, str]


def load_fee_book(folder: Path = PROJECT / "seeds") -> FeeBook:
    """The contracts of the project. Raises FeeContractError, naming file and contract."""
    return _book(_rows(folder / "fee_contracts.csv", CONTRACTS), _rows(folder / "fee_terms.csv", TERMS))


def read_fee_book(connection: duckdb.DuckDBPyConnection) -> FeeBook:
    """The contracts that a build was made with. Raises FeeContractError."""
    found = []
    for table, names in (("fee_contracts", CONTRACTS), ("fee_terms", TERMS)):
        texts = ", ".join(f"coalesce(CAST({name} AS VARCHAR), '')" for name in names)
        rows = connection.execute(f"SELECT {texts} FROM intermediate.{table}").fetchall()  # noqa: S608 - constants
        found.append([dict(zip(names, row, strict=True)) for row in rows])
    return _book(*found)


def _rows(path: Path, names: tuple[str, ...]) -> list[_Row]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, restval="", strict=True)
        if tuple(reader.fieldnames or ()) != names:
            raise FeeContractError(f"{path.name}: the columns must be {', '.join(names)}")
        return [dict(row) for row in reader]


def _book(contracts: Iterable[_Row], terms: Iterable[_Row]) -> FeeBook:
    of_contract: dict[str, dict[tuple[str, str, str], Terms]] = {}
    for row in terms:
        known = of_contract.setdefault(row["contract"], {})
        key = row["kind"], row["component"], row["currency"]
        if key in known:
            raise FeeContractError(f"Contract {row['contract']!r} states {key[1]} of {key[0]} in {key[2]} twice")
        maximum = _whole(row, "maximum_minor") if row["maximum_minor"] else None
        percent, fixed, minimum = (_whole(row, name) for name in TERMS[4:7])
        known[key] = Terms(percent, fixed, minimum, maximum)
    found = [_contract(row, of_contract.pop(row["contract"], {})) for row in contracts]
    if of_contract:
        raise FeeContractError(f"There are terms of a contract {min(of_contract)!r}, which there is not")
    return FeeBook(found)


def _contract(row: _Row, terms: dict[tuple[str, str, str], Terms]) -> Contract:
    gateway, account, method, variant, region, currency = (row[name] or ANY for name in CONTRACTS[1:7])
    since, until = _day(row, "valid_from", date.min), _day(row, "valid_until", date.max)
    return Contract(row["contract"], gateway, account, method, variant, region, currency, since, until, terms)


def _day(row: _Row, name: str, otherwise: date) -> date:
    if not row[name]:
        return otherwise
    try:
        return date.fromisoformat(row[name])
    except ValueError:
        raise FeeContractError(
            f"Contract {row['contract']!r}: {name} is {row[name]!r}, not a day such as 2026-03-01"
        ) from None


def _whole(row: _Row, name: str) -> int:
    try:
        return int(row[name] or 0)
    except ValueError:
        raise FeeContractError(f"Contract {row['contract']!r}: {name} is {row[name]!r}, not a whole number") from None
