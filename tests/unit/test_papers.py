"""Invoices and statements for people: the same figures in every format, and nothing in them is run."""

import csv
import io
import json
import zipfile
from dataclasses import asdict
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regions.billing import totals
from regions.errors import ConfigurationError
from regions.pricing import Fixed, Plan, Tier, Usage, invoice
from regions.region import load_region, region_codes
from regions.texts import load_texts
from warehouse.reports.catalogue import report_of
from warehouse.reports.invoices import as_result
from warehouse.reports.model import Asked, Result
from warehouse.reports.page import COLOUR, to_html
from warehouse.reports.paper import Customer, paper_of_invoice, papers_of_result
from warehouse.reports.render import render
from warehouse.reports.texts import LANGUAGES, words_for
from web.checkout.texts import texts_for

DAY = date(2026, 3, 14)
MERCHANT = "merch_eu_06p0wz3q4hk53g6qyt8nwc2mse"
ISSUER = "Meridian Payments Europe GmbH, Berlin"
PLAN = Plan("standard", (Tier(1_000_000, 14_000), Tier(None, 11_000)), {"EUR": Fixed(25, 10, 0)}, 190_000)


def made(**more: Any) -> dict[str, Any]:
    lines = [asdict(line) | {"basis": "b"} for line in invoice(PLAN, "EUR", Usage(1234, 4_567_891, 12))]
    head = {"number": None, "kind": "draft", "merchant_id": MERCHANT, "livemode": False, "currency": "EUR"}
    days = {"month": "2026-03", "since": "2026-03-01", "until": "2026-03-31", "plan": "standard", "build": 7}
    return head | days | {"lines": lines, **totals(lines), "problem": None} | more


def page(customer: Customer | None = None, locale: str = "de-DE", **more: Any) -> str:
    return to_html([paper_of_invoice(made(**more), ISSUER, customer, locale)], "Invoices", locale).decode()


class Elements(HTMLParser):
    """Which elements and attributes a page has, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_the_workbook_and_the_csv_show_the_figures_of_the_json() -> None:
    one = made()
    assert json.loads(json.dumps(one)) == one
    result = as_result([one], DAY, 7, {MERCHANT: "Ada"})
    rows = list(csv.DictReader(io.StringIO(render(result, "csv", "en-IE").decode())))
    assert sum(round(float(row["net"]) * 100) for row in rows if row["net"]) == one["amount_minor"]
    assert [row["tax"] for row in rows if row["tax"]] == [f"{one['tax_minor'] // 100}.{one['tax_minor'] % 100:02}"]
    assert [row["total"] for row in rows if row["total"]] == [
        f"{one['total_minor'] // 100}.{one['total_minor'] % 100:02}"
    ]
    assert all(row["basis"] for row in rows)
    sheet = zipfile.ZipFile(io.BytesIO(render(result, "xlsx", "en-IE"))).read("xl/worksheets/sheet1.xml").decode()
    assert f"<v>{one['total_minor'] / 100:.16g}</v>" in sheet
    text = Elements(page(locale="en-IE")).text
    assert f"€{one['total_minor'] // 100:,}.{one['total_minor'] % 100:02}" in text
    assert "Computed from warehouse build 7." in text


def test_figures_and_days_are_as_the_reader_writes_them() -> None:
    text = Elements(page()).text
    assert "10.000,00\u00a0€" in text  # the first tier's volume
    assert "31.03.2026" in text


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_no_text_becomes_markup(said: str) -> None:
    hostile = f'{said}</style><script>alert(1)</script><img src=x onerror="x">{said}'
    branding = {"colour": "red; background: url(https://example.com)", "display_name": hostile, "footer": hostile}
    customer = Customer(hostile, "DE", branding, b"<svg onload=x>")
    lines = [line | {"what": hostile, "basis": hostile} for line in made()["lines"]]
    found = Elements(page(customer, plan=hostile, number=hostile, problem=hostile, lines=lines))
    plain = Elements(page(Customer("Ada", "DE", {"display_name": "A", "footer": "F"}), problem="p"))
    assert found.names == plain.names
    assert [name for name, _ in found.attributes] == [name for name, _ in plain.attributes]
    assert "<script>alert(1)</script>" in found.text
    assert ("style", f"--mark: {COLOUR}") in found.attributes


def test_a_page_asks_for_nothing_from_outside_and_shows_the_merchants_looks() -> None:
    logo = b"\x89PNG\r\n\x1a\nrest"
    text = page(Customer("Ada", "DE", {"colour": "#0f766e", "footer": "Ada Chairs GmbH"}, logo))
    found = Elements(text)
    assert [value for name, value in found.attributes if name in {"src", "href"}] == [
        "data:image/png;base64,iVBORw0KGgpyZXN0"
    ]
    assert "--mark: #0f766e" in text
    assert "Ada Chairs GmbH" in found.text
    assert [part for part in ("url(", "@import", "http://", "https://") if part in text] == []
    assert "default-src 'none'" in text


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "\t=cmd|' /C calc'!A0", "+1"])
def test_a_merchants_name_is_no_formula(name: str) -> None:
    result = as_result([made(number=name, plan=name)], DAY, 7, {MERCHANT: name})
    rows = list(csv.reader(io.StringIO(render(result, "csv", "en-IE").decode())))
    assert [cell for row in rows for cell in row if cell.startswith(("=", "@", "+", "\t"))] == []
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(render(result, "xlsx", "en-IE"))).read("xl/worksheets/sheet1.xml")


def test_an_invoice_without_prices_says_so_and_has_no_sums() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("amount_minor", "tax_minor", "total_minor"))
    text = Elements(page(lines=[], taxes=[], problem="plan standard has no prices in SEK", **nothing)).text
    assert "no prices in SEK" in text
    assert "Total" not in text


def test_a_statement_is_a_paper_for_each_merchant_with_its_own_lines() -> None:
    asked = Asked(date(2026, 3, 1), date(2026, 3, 31), livemode=True)
    account = "merchant_payable_available"
    balances = [(merchant, "b", account, "EUR", 0, 1999, 0, 1999) for merchant in ("merch_a", "merch_b")]
    lines = [
        (merchant, DAY, "payment", f"pay_{merchant}", "jrn", "b", account, "EUR", 1999) for merchant, *_ in balances
    ]
    result = Result(report_of("merchant-statement"), asked, 7, balances)
    details = Result(report_of("merchant-lines"), asked, 7, lines)
    papers = papers_of_result(result, ISSUER, {"merch_a": Customer("Ada")}, details)
    assert [paper.merchant_id for paper in papers] == ["merch_a", "merch_b"]
    first, second = to_html(papers, "Statements", "en-IE").decode().split("<article")[1:]
    assert "pay_merch_a" in first
    assert "Ada" in first
    assert "pay_merch_b" not in first
    assert "Ada" not in second
    assert "no real money" not in first
    for shown in ("Available for payout", "Owed to you at the end", "€19.99"):
        assert shown in first
    assert "merchant_payable" not in first
    german = papers_of_result(result, ISSUER, {}, details, "de-DE")
    page = to_html(german, "Statements", "de-DE").decode()
    assert '<html lang="de">' in page
    for shown in ("Kontoauszug", "Zur Auszahlung verfügbar", "Ihnen zustehend am Ende", "Zahlung", "19,99\u00a0€"):
        assert shown in page
    assert "Owed" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_invoice_and_its_credit_note_are_in_the_readers_words(language: str) -> None:
    words = LANGUAGES[language]
    for kind in ("invoice", "credit_note"):
        text = Elements(page(locale=language, kind=kind, number="EU-1", credits="EU-0", reason="r")).text
        for key in (kind, "number", "takes_back", "through", "plan", "lines", "net", "total", "test"):
            assert words(key) in text, key
        for name in ("what", "piece_count", "volume_minor", "price_minor", "rate_ppm", "net_minor", "basis"):
            assert words.columns[name] in text
        assert words.values["payments"] in text
        assert all(part.strip() in text for part in words.texts["volume_at"].split("{share}"))
    if language != "en":
        assert "Credit note" not in text
        assert "volume at" not in text


def test_every_word_of_an_invoice_has_its_translation_and_a_language_without_texts_is_english() -> None:
    plan = Plan("standard", (Tier(None, 14_000),), {"EUR": Fixed(25, 10, 10**9)}, 190_000)
    for line in invoice(plan, "EUR", Usage(7, 1000, 1)):
        assert line.unit == "volume" or line.what in LANGUAGES["de"].values, line.what
    assert words_for("pt-PT").language == "en"
    assert words_for("hi_IN").language == "hi"


@pytest.mark.parametrize("code", region_codes())
def test_every_locale_of_a_region_is_read_in_its_own_language(code: str) -> None:
    for locale in load_region(code).locales:
        spoken = locale.partition("-")[0]
        assert (words_for(locale).language, texts_for(locale).language) == (spoken, spoken)


def test_texts_that_differ_in_keys_or_places_stop_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "somewords"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "en.toml").write_text('[texts]\na = "one {place}"\n')
    monkeypatch.syspath_prepend(tmp_path)
    for other in ('[texts]\na = "eins"\n', '[texts]\nb = "{place}"\n', 'a = "{place}"\n'):
        (folder / "de.toml").write_text(other)
        with pytest.raises(ConfigurationError, match=r"somewords/de.toml differs from en.toml"):
            load_texts("somewords")
    (folder / "de.toml").write_text('[texts]\na = "eins {place}"\n')
    assert set(load_texts("somewords")) == {"de", "en"}
