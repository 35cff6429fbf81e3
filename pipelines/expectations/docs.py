"""Great Expectations' own data docs over the suites and the last judgement of each file."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from great_expectations.core import ExpectationSuiteValidationResultSchema, RunIdentifier
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from pipelines.expectations.door import JUDGEMENTS
from pipelines.expectations.engine import context, expectation_suite
from pipelines.expectations.suite import suite_names
from regions.errors import MeridianError

DATA_DOCS = "data-docs"
SITE = "doors"


def build_docs(state: Path) -> Path:
    """Build `<state>/data-docs/` anew; returns its first page."""
    folder, staged = state / DATA_DOCS, state / f"{DATA_DOCS}.new"
    shutil.rmtree(staged, ignore_errors=True)
    made = context()
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(staged)},
    }
    if SITE in made.get_site_names():
        made.update_data_docs_site(SITE, site)
    else:
        made.add_data_docs_site(SITE, site)
    for name in suite_names():
        expectation_suite(name)
    judged = sorted((state / JUDGEMENTS).glob("*/*/*.json"))
    for path in judged:
        _add(path)
    made.build_data_docs(site_names=[SITE])
    pages = len(list((staged / "validations").rglob("*.html")))
    if pages < len(judged):  # the library prints what goes wrong with a page, and goes on
        raise MeridianError(f"Only {pages} of {len(judged)} judgements have a page in {staged}")
    shutil.rmtree(folder, ignore_errors=True)
    staged.replace(folder)
    return folder / "index.html"


def _add(path: Path) -> None:
    kept = json.loads(path.read_text("utf-8"))
    result = ExpectationSuiteValidationResultSchema().load(kept["result"])
    region, suite = path.parent.parent.name, path.parent.name
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    key = ValidationResultIdentifier(
        expectation_suite_identifier=ExpectationSuiteIdentifier(suite),
        run_id=RunIdentifier(run_name=f"{region}-{path.stem}", run_time=at),
        batch_identifier=f"{region}-{path.stem}",
    )
    context().validation_results_store.set(key, result)
