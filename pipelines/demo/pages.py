"""What a payer's browser reads from an HTML page: its forms, its frames and what the page says about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from regions.errors import MeridianError


class PageError(MeridianError):
    """A page does not have what a payer needs on it."""


@dataclass(frozen=True)
class Form:
    """A form as a browser submits it. `values` go along always; `choices` (buttons, boxes) only when answered."""

    action: str
    method: str
    values: Mapping[str, str]
    choices: frozenset[str] = frozenset()

    def filled(self, **answers: str) -> dict[str, str]:
        """The values to send. Raises PageError for an answer that the form has no field for."""
        unknown = answers.keys() - self.names
        if unknown:
            raise PageError(f"The form at {self.action} has no field named {', '.join(sorted(unknown))}.")
        return {**self.values, **answers}

    @property
    def names(self) -> frozenset[str]:
        """Everything that may be answered."""
        return self.choices | self.values.keys()


@dataclass(frozen=True)
class Page:
    """One answer. `state` is the page's `data-state` attribute ("" if it has none), `next_url` its main link's address.

    `frames` are the addresses that the page shows in a frame, at once (`src`) or when its script asks (`data-src`).
    """

    url: str
    status: int
    forms: tuple[Form, ...] = ()
    frames: tuple[str, ...] = ()
    state: str = ""
    next_url: str = ""

    def form(self, *names: str) -> Form:
        """The first form that has all fields `names`. Raises PageError if there is none."""
        for form in self.forms:
            if form.names >= set(names):
                return form
        raise PageError(
            f"The page at {self.url} (HTTP {self.status}) has no form with {', '.join(names) or 'any field'}."
        )


def parse_page(url: str, status: int, html: str) -> Page:
    """Read a page; addresses in it become absolute against `url`."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    forms = tuple(Form(form.action, form.method, dict(form.values), frozenset(form.choices)) for form in reader.forms)
    return Page(url, status, forms, tuple(reader.frames), reader.state, reader.next_url)


@dataclass
class _OpenForm:
    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    choices: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._url = url
        self._in_form = False
        self.forms: list[_OpenForm] = []
        self.frames: list[str] = []
        self.state = ""
        self.next_url = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.state = self.state or values.get("data-state", "")
        if tag == "form":
            action = urljoin(self._url, values.get("action", ""))
            self.forms.append(_OpenForm(action, values.get("method", "get").lower()))
            self._in_form = True
        elif tag == "a" and "primary" in values.get("class", "").split():
            self.next_url = self.next_url or urljoin(self._url, values.get("href", ""))
        elif frame := values.get("data-src") or (tag == "iframe" and values.get("src")):
            self.frames.append(urljoin(self._url, frame))
        elif self._in_form and values.get("name"):
            self._field(tag, values)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False

    def _field(self, tag: str, values: Mapping[str, str]) -> None:
        name, kind = values["name"], values.get("type", "")
        is_box = kind in {"radio", "checkbox"} and "checked" not in values
        if tag == "button" or is_box or kind in {"submit", "image", "button"}:
            self.forms[-1].choices.add(name)
        elif tag in {"input", "select", "textarea"}:
            self.forms[-1].values[name] = values.get("value", "")
